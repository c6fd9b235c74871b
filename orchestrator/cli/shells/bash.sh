# Completion of orchestrate for bash; made by `orchestrate completion bash`.
_orchestrate_completion() {
    local kind word _ line=${COMP_LINE:0:COMP_POINT}
    local typed=${line##*[[:space:]]} cut=
    COMPREPLY=()
    # Readline ends words at these too, and replaces only what is behind the last.
    [[ $COMP_WORDBREAKS == *:* && $typed == *:* ]] && cut=${typed%"${typed##*:}"}
    [[ $COMP_WORDBREAKS == *=* && ${typed#"$cut"} == *=* ]] && cut=${typed%"${typed##*=}"}
    while IFS=$'\t' read -r kind word _; do
        word=${word#"$cut"}
        case $kind in
            file | dir)
                compopt -o filenames 2>/dev/null
                while IFS= read -r word; do COMPREPLY+=("$word"); done < <(
                    if [[ $kind == dir ]]; then compgen -d -- "$word"; else compgen -f -- "$word"; fi
                )
                ;;
            plain)
                COMPREPLY+=("$word")
                # A value is still to come.
                [[ $word == *[:,] ]] && compopt -o nospace 2>/dev/null
                ;;
        esac
    done < <(COMP_LINE=$line _ORCHESTRATE_COMPLETING=bash "$1" 2>/dev/null)
    return 0
}
complete -o nosort -F _orchestrate_completion orchestrate 2>/dev/null ||
    complete -F _orchestrate_completion orchestrate
