//! Shell functions that make `docker manifest` ours.
//!
//! Docker never runs a plugin that is named like one of its own commands, so `docker manifest` has to be caught before
//! docker sees it. The function looks at the first word that is no flag of docker's, sends `manifest` to
//! `docker-manifest` with the whole command line, and everything else to docker. Docker's own completion calls
//! `docker __complete`, so catching that too gives completion for nothing.

use crate::args::Shell;

/// The function for a shell, as text to evaluate there.
pub fn function(shell: Shell) -> String {
    match shell {
        Shell::Bash => format!("{POSIX}{BASH_COMPLETION}"),
        Shell::Zsh => format!("{POSIX}{ZSH_COMPLETION}"),
        Shell::Fish => FISH.to_owned(),
    }
}

/// Written in what bash and zsh share; `function` keeps an alias named docker from being expanded here.
const POSIX: &str = r#"# docker manifest is docker-manifest in this shell; everything else is docker's.
function __docker_manifest_is_meant {
    local lead=
    while [ "$#" -gt 0 ]; do
        case "$1" in
            --config | --context | --host | --log-level | --tlscacert | --tlscert | --tlskey | \
                -[cHl] | -[Dvh][cHl] | -[Dvh][Dvh][cHl])
                if [ "$#" -lt 2 ]; then return 1; fi
                shift
                ;;
            -*) ;;
            help | __complete | __completeNoDesc)
                if [ -n "$lead" ]; then return 1; fi
                lead=$1
                ;;
            manifest)
                case "$lead" in
                    __complete*) [ "$#" -gt 1 ] ;;
                esac
                return
                ;;
            *) return 1 ;;
        esac
        shift
    done
    return 1
}
function docker {
    if __docker_manifest_is_meant "$@"; then
        command docker-manifest "$@"
    else
        command docker "$@"
    fi
}
"#;

const BASH_COMPLETION: &str = r#"function __docker_manifest_complete {
    local line words=("${COMP_WORDS[@]:1:COMP_CWORD}") cur=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    # Readline takes ':' and '=' for words of their own, so the pieces are joined again.
    if declare -F _get_comp_words_by_ref >/dev/null; then
        local cword
        _get_comp_words_by_ref -n =: cur words cword
        words=("${words[@]:1:cword}")
    fi
    while IFS= read -r line; do
        case "$line" in
            :[0-9]*) ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <(command docker-manifest __completeNoDesc "${words[@]}" 2>/dev/null)
    if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
if type complete >/dev/null 2>&1; then complete -F __docker_manifest_complete docker-manifest; fi
"#;

const ZSH_COMPLETION: &str = r#"function __docker_manifest_complete {
    local line
    local -a found
    while IFS= read -r line; do
        case "$line" in
            :[0-9]*) ;;
            *) found+=("$line") ;;
        esac
    done < <(command docker-manifest __completeNoDesc "${(@)words[2,CURRENT]}" 2>/dev/null)
    compadd -- "${found[@]}"
}
if (( ${+functions[compdef]} )); then compdef __docker_manifest_complete docker-manifest; fi
"#;

const FISH: &str = r#"# docker manifest is docker-manifest in this shell; everything else is docker's.
function __docker_manifest_is_meant
    set -l lead ''
    while set -q argv[1]
        switch $argv[1]
            case --config --context --host --log-level --tlscacert --tlscert --tlskey -c -H -l \
                -Dc -DH -Dl -vc -vH -vl -hc -hH -hl
                set -q argv[2]; or return 1
                set -e argv[1]
            case '-*'
            case help __complete __completeNoDesc
                test -n "$lead"; and return 1
                set lead $argv[1]
            case manifest
                string match -q '__complete*' -- $lead; or return 0
                set -q argv[2]
                return
            case '*'
                return 1
        end
        set -e argv[1]
    end
    return 1
end
function docker
    if __docker_manifest_is_meant $argv
        command docker-manifest $argv
    else
        command docker $argv
    end
end
function __docker_manifest_complete
    set -l words (commandline -opc)
    command docker-manifest __complete $words[2..-1] (commandline -ct) 2>/dev/null | string match -v -r '^:[0-9]+$'
end
complete -c docker-manifest -f -a '(__docker_manifest_complete)'
"#;
