# Completion of orchestrate for fish; made by `orchestrate completion fish`.
function __orchestrate_completion
    set -l command (commandline -opc)[1]
    set -l answers (COMP_LINE=(commandline -cp | string collect) _ORCHESTRATE_COMPLETING=fish $command 2>/dev/null)
    for answer in $answers
        set -l parts (string split -m 2 \t -- $answer)
        switch $parts[1]
            case file
                __fish_complete_path $parts[2]
            case dir
                __fish_complete_directories $parts[2]
            case plain
                if test -n "$parts[3]"
                    printf '%s\t%s\n' $parts[2] $parts[3]
                else
                    printf '%s\n' $parts[2]
                end
        end
    end
end
complete --no-files --command orchestrate --arguments '(__orchestrate_completion)'
