//! The exit code of a failed command. `ArgsError::exit_code` is that of a malformed command line. An interrupted
//! command has 130 (`check/interrupt.rs`, `plugin/plugin_socket.rs`), and a shim that cannot run docker has a shell's
//! codes (`plugin/run_as_shim.rs`).

use crate::core::error::CommandError;
use crate::core::error_parts::PartialResult;
use crate::core::shared_draft_error::SharedDraftError;

/// Docker's exit code for every failure but a malformed command line.
pub(super) const EXIT_FAILURE: u8 = 1;

/// `--require` or `--exact` failed.
const EXIT_REQUIREMENT_FAILED: u8 = 3;

/// Another client has changed the list meanwhile.
const EXIT_RACE: u8 = 4;

/// Several failures have their common exit code, or else the general one.
pub(super) fn exit_code(error: &CommandError) -> u8 {
    let mut codes = error.each().iter().map(|error| match error {
        CommandError::Incomplete { .. } => EXIT_REQUIREMENT_FAILED,
        CommandError::SharedDraft(source) if matches!(**source, SharedDraftError::NoEntries { .. }) => {
            EXIT_REQUIREMENT_FAILED
        }
        CommandError::Conflict(conflict) if conflict.is_race() => EXIT_RACE,
        CommandError::Partial { error: cause, done: PartialResult::Batch { .. } | PartialResult::Tags { .. } } => {
            exit_code(cause)
        }
        _ => EXIT_FAILURE,
    });
    let first = codes.next().unwrap_or(EXIT_FAILURE);
    if codes.all(|code| code == first) { first } else { EXIT_FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::list_conflict::ListConflict;
    use crate::core::spec_origin::SpecOrigin;
    use crate::digest::Digest;

    fn incomplete() -> CommandError {
        let missing = vec!["linux/arm64".to_owned()];
        CommandError::Incomplete { list: "h/a:1".to_owned(), origin: SpecOrigin::Draft, missing, extra: Vec::new() }
    }

    #[test]
    fn several_failures_have_their_common_exit_code_or_1() {
        let conflict = || ListConflict::NamedByDigest { list: "h/a@sha256:ab".to_owned() }.into();
        let several = |errors| exit_code(&CommandError::Several(errors));
        assert_eq!(several(vec![incomplete(), incomplete()]), EXIT_REQUIREMENT_FAILED);
        assert_eq!(several(vec![incomplete(), conflict()]), EXIT_FAILURE);
    }

    #[test]
    fn only_a_conflict_that_may_be_gone_has_exit_code_4() {
        let (list, fetched) = ("h/a:1".to_owned(), Digest::from_bytes(b""));
        assert_eq!(exit_code(&ListConflict::DraftExists { list: list.clone() }.into()), EXIT_FAILURE);
        assert_eq!(exit_code(&ListConflict::Moved { list, fetched, current: None }.into()), EXIT_RACE);
    }

    /// A list that was pushed is complete, whatever its report lacks.
    #[test]
    fn a_partial_failure_has_the_exit_code_of_its_cause_unless_the_list_was_pushed() {
        let partial = |done| exit_code(&CommandError::Partial { error: Box::new(incomplete()), done });
        assert_eq!(partial(PartialResult::Tags { moved: Vec::new(), remaining: Vec::new() }), EXIT_REQUIREMENT_FAILED);
        assert_eq!(
            partial(PartialResult::Batch { published: Vec::new(), remaining: Vec::new() }),
            EXIT_REQUIREMENT_FAILED
        );
        let (list, digest) = ("h/a:1".to_owned(), "sha256:ab".to_owned());
        assert_eq!(partial(PartialResult::PushedButNotReported { list, digest }), EXIT_FAILURE);
    }
}
