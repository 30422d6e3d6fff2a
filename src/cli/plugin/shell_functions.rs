//! Shell functions by which `docker manifest` runs this program.
//!
//! Docker never runs a plugin that has the name of one of its own commands, so the shell must catch `docker manifest`
//! before docker sees it. The function finds the first word that is not a flag of docker. If it is `manifest`, the
//! function runs `docker-manifest` with the whole command line; otherwise it runs docker. Docker's own completion calls
//! `docker __complete`, so the function serves completion too.

use crate::cli::args::{CompletionShell, Shell};

/// The function for a shell, for its `eval`.
pub fn init_script(shell: Shell) -> String {
    match shell {
        Shell::Bash => format!("{HEADING}{BASH_AND_ZSH}{BASH_EXPORT}{BASH_COMPLETION}"),
        Shell::Zsh => format!("{HEADING}{BASH_AND_ZSH}{ZSH_COMPLETION}"),
        Shell::Fish => format!("{HEADING}{FISH}{FISH_COMPLETION}"),
        Shell::Sh => {
            let functions =
                SH_REPLACEMENTS.iter().fold(BASH_AND_ZSH.to_owned(), |text, (word, own)| text.replace(word, own));
            format!("{HEADING}{SH_HEAD}{functions}{SH_TAIL}")
        }
    }
}

/// The completion script of `docker-manifest`, for the shell's completion directory.
pub fn completion_script(shell: CompletionShell) -> String {
    match shell {
        CompletionShell::Bash => BASH_COMPLETION.to_owned(),
        CompletionShell::Zsh => format!("#compdef docker-manifest\n{ZSH_COMPLETION}{ZSH_AUTOLOAD}"),
        CompletionShell::Fish => FISH_COMPLETION.to_owned(),
    }
}

/// The file is the body of a function of its own name, which zsh calls once it is loaded.
const ZSH_AUTOLOAD: &str =
    "if [[ ${funcstack[1]:-} == _docker-manifest ]]; then __docker_manifest_complete \"$@\"; fi\n";

const HEADING: &str = "# docker manifest is docker-manifest in this shell; everything else is docker's.\n";

/// The common subset of bash and zsh. `function` keeps an alias named docker from being expanded here.
const BASH_AND_ZSH: &str = r#"function __docker_manifest_is_meant {
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

/// Bash passes exported functions on to every bash that it starts: scripts for bash, `bash -c`, `xargs bash`.
const BASH_EXPORT: &str = "export -f __docker_manifest_is_meant docker\n";

/// For shells that have neither `function` nor local variables.
const SH_REPLACEMENTS: [(&str, &str); 5] = [
    ("function __docker_manifest_is_meant", "_docker_manifest_is_meant()"),
    ("__docker_manifest_is_meant", "_docker_manifest_is_meant"),
    ("function docker", "docker()"),
    ("local lead", "lead"),
    ("lead", "_docker_manifest_lead"),
];

/// If `docker` is an alias, sh would expand it in the name of the function, so it is removed first and restored later.
const SH_HEAD: &str = "_docker_manifest_alias=$(alias docker 2>/dev/null) && unalias docker\n";

const SH_TAIL: &str = r#"[ -z "$_docker_manifest_alias" ] || eval "alias ${_docker_manifest_alias#alias }"
"#;

const BASH_COMPLETION: &str = r#"function __docker_manifest_complete {
    local line=${COMP_LINE:0:COMP_POINT} words=() cur lead= cut= files=
    COMPREPLY=()
    # Readline takes ':' and '=' for words of their own, so the line is split here, and a candidate gets only what
    # readline does not have before its own last word.
    read -r -a words <<<"$line"
    case "$line" in *[[:blank:]]) words+=("") ;; esac
    cur=${words[${#words[@]} - 1]}
    # The program prints only the value for --flag=value, so --flag= is put back.
    case "$cur" in --*=*) lead=${cur%%=*}=; cur=${cur#*=} ;; esac
    case "$COMP_WORDBREAKS" in *=*) lead= ;; esac
    case "$COMP_WORDBREAKS" in *:*) cut=${cur%"${cur##*:}"} ;; esac
    while IFS= read -r line; do
        case "$line" in
            :0) files=1 ;;
            :[0-9]*) ;;
            *) COMPREPLY+=("$lead${line#"$cut"}") ;;
        esac
    done < <(command docker-manifest __completeNoDesc "${words[@]:1}" 2>/dev/null)
    if [ -n "$files" ] && [ "${#COMPREPLY[@]}" -eq 0 ]; then
        while IFS= read -r line; do COMPREPLY+=("$lead${line#"$cut"}"); done < <(compgen -f -- "$cur")
        compopt -o filenames 2>/dev/null || true
    fi
}
if type complete >/dev/null 2>&1; then complete -F __docker_manifest_complete docker-manifest; fi
"#;

const ZSH_COMPLETION: &str = r#"function __docker_manifest_complete {
    local line files=
    local -a found
    while IFS= read -r line; do
        case "$line" in
            :0) files=1 ;;
            :[0-9]*) ;;
            *) found+=("$line") ;;
        esac
    done < <(command docker-manifest __completeNoDesc "${(@)words[2,CURRENT]}" 2>/dev/null)
    # The program prints only the value for --flag=value, so --flag= is put back.
    compset -P '--*='
    if [[ -n $files && ${#found} -eq 0 ]]; then _files; else compadd -- "${found[@]}"; fi
}
if (( ${+functions[compdef]} )); then compdef __docker_manifest_complete docker-manifest; fi
"#;

const FISH: &str = r#"function __docker_manifest_is_meant
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
"#;

const FISH_COMPLETION: &str = r#"function __docker_manifest_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (command docker-manifest __complete $words[2..-1] $current 2>/dev/null)
    # The program prints only the value for --flag=value, so --flag= is put back.
    set -l lead (string match -r -- '^--[^=]*=' $current)
    if test "$found" = :0
        set found (__fish_complete_path (string replace -- "$lead" '' $current))
    end
    for line in $found
        string match -q -r '^:[0-9]+$' -- $line; or printf '%s%s\n' "$lead" $line
    end
end
complete -c docker-manifest -f -a '(__docker_manifest_complete)'
"#;
