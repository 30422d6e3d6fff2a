//! Reads `WWW-Authenticate` headers (RFC 9110, section 11.6.1).
//!
//! Registries send several challenges in one header or in several, with quoted or bare parameters. Commas separate both
//! challenges and parameters, so a token is a parameter's name exactly if `=` follows it. Text outside the grammar is
//! skipped up to the next comma. A malformed header is not an error; it holds no challenge.

/// One challenge: a scheme and its parameters. A token68 (`Negotiate YII=`) is skipped, because no registry uses one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// The scheme's name in lower case: `bearer`, `basic`.
    pub(crate) scheme: String,
    /// The parameters in their order: names in lower case, values without quotes and escapes.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Reads the values of all `WWW-Authenticate` headers of one response, in their order.
    pub(crate) fn parse_all<'a>(headers: impl Iterator<Item = &'a str>) -> Vec<Challenge> {
        headers.flat_map(parse).collect()
    }

    /// The value of the first parameter of that name, in any case.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return challenges;
        }
        let (name, after) = take_while(rest, is_token);
        if name.is_empty() {
            rest = skip_to_comma(rest);
            continue;
        }
        let value = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        if let Some(value) = value {
            let (value, after) = take_value(value.trim_start_matches([' ', '\t']));
            if let Some(challenge) = challenges.last_mut() {
                challenge.parameters.push((name.to_ascii_lowercase(), value));
            }
            rest = after;
        } else {
            challenges.push(Challenge { scheme: name.to_ascii_lowercase(), parameters: Vec::new() });
            rest = skip_token68(after);
        }
    }
}

/// The rest after a token68, if one follows the scheme: its characters, padding, and then a comma or the end.
fn skip_token68(rest: &str) -> &str {
    let start = rest.trim_start_matches([' ', '\t']);
    let (text, after) = take_while(start, |c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
    let after = after.trim_start_matches('=').trim_start_matches([' ', '\t']);
    match !text.is_empty() && (after.is_empty() || after.starts_with(',')) {
        true => after,
        false => rest,
    }
}

/// A quoted string without its quotes and escapes, or the text up to a comma or a space: some registries send bare
/// URLs.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = take_while(text, |c| !matches!(c, ',' | ' ' | '\t'));
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => value.extend(characters.next()),
            c => value.push(c),
        }
    }
    (value, characters.as_str())
}

fn skip_to_comma(text: &str) -> &str {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            ',' => break,
            '"' => rest = take_value(rest).1,
            c => rest = rest.get(c.len_utf8()..).unwrap_or_default(),
        }
    }
    rest
}

fn take_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !keep(c)).unwrap_or(text.len()))
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn challenge(scheme: &str, parameters: &[(&str, &str)]) -> Challenge {
        let parameters = parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Challenge { scheme: scheme.to_owned(), parameters }
    }

    #[track_caller]
    fn reads(headers: &[&str], expected: &[Challenge]) {
        assert_eq!(Challenge::parse_all(headers.iter().copied()), expected, "{headers:?}");
    }

    #[test]
    fn bearer_challenge_is_parsed() {
        let header = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                      scope=\"repository:a/b:pull,push\"";
        let parsed = Challenge::parse_all([header].into_iter());
        assert_eq!(parsed.len(), 1);
        let only = &parsed[0];
        assert_eq!(only.scheme, "bearer");
        assert_eq!(only.parameter("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(only.parameter("SERVICE"), Some("registry.docker.io"));
        assert_eq!(only.parameter("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(only.parameter("error"), None);
    }

    #[test]
    fn several_challenges_are_parsed_from_one_or_more_headers() {
        let basic = challenge("basic", &[("realm", "r, \"x\"")]);
        let bearer = challenge("bearer", &[("realm", "u"), ("service", "s")]);
        reads(&[r#"Basic realm="r, \"x\"", Bearer realm="u",service="s""#], &[basic.clone(), bearer.clone()]);
        reads(&[r#"BASIC Realm = "r, \"x\"""#, r#",, bearer REALM="u" ,	service=s"#], &[basic, bearer]);
    }

    #[test]
    fn schemes_without_parameters_are_parsed_and_token68_is_skipped() {
        let bearer = challenge("bearer", &[("realm", "u")]);
        reads(&["Basic"], &[challenge("basic", &[])]);
        reads(&["Negotiate, Bearer realm=u"], &[challenge("negotiate", &[]), bearer.clone()]);
        reads(&["Negotiate YII+/a== , Bearer realm=u"], &[challenge("negotiate", &[]), bearer]);
    }

    #[test]
    fn malformed_challenges_are_parsed_leniently() {
        let url = challenge("bearer", &[("realm", "http://h:5001/token?a=b"), ("service", "x")]);
        reads(&["Bearer realm=http://h:5001/token?a=b,service=x"], std::slice::from_ref(&url));
        reads(&[r#"Bearer realm="http://h:5001/token?a=b" service="x""#], std::slice::from_ref(&url));
        reads(&[r#"Bearer realm="http://h:5001/token?a=b", ("a, b" =; , service="x"#], &[url]);
        reads(&[r#"realm="u""#, "", " , ,"], &[]);
        reads(&[r#"Bearer realm="é\"#], &[challenge("bearer", &[("realm", "é")])]);
    }

    #[test]
    fn first_of_duplicate_parameters_counts() {
        let parsed = Challenge::parse_all(["Bearer realm=a, realm=b"].into_iter());
        assert_eq!(parsed[0].parameter("realm"), Some("a"));
    }

    proptest! {
        #[test]
        fn parsing_challenges_never_panics(
            headers in proptest::collection::vec("\\PC{0,60}|[Bb=\",\\\\ \t()a]{0,40}", 0..4)
        ) {
            for challenge in Challenge::parse_all(headers.iter().map(String::as_str)) {
                prop_assert!(!challenge.scheme.is_empty());
            }
        }

        #[test]
        fn quoted_parameter_values_are_unescaped(value in "\\PC{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{quoted}\", scope=\"{quoted}\", Basic realm=\"{quoted}\"");
            let parsed = Challenge::parse_all([header.as_str()].into_iter());
            prop_assert_eq!(parsed.len(), 2);
            prop_assert_eq!(parsed[0].parameter("scope"), Some(value.as_str()));
            prop_assert_eq!(parsed[1].parameter("realm"), Some(value.as_str()));
        }
    }
}
