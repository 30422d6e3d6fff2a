//! skeleton
/// One challenge of a `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme's name in lower case: `bearer`, `basic`.
    pub(super) scheme: String,
    /// The parameters in their order, names in lower case.
    pub(super) parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads the values of every `WWW-Authenticate` header of one answer.
    pub(super) fn parse_all<'a>(headers: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
        let _ = headers;
        Vec::new()
    }

    /// The first parameter of that name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
