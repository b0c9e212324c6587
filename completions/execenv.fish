# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_execenv_global_optspecs
    string join \n workspaces-root= o/output= q/quiet v/verbose color= config= h/help V/version
end

function __fish_execenv_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_execenv_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_execenv_using_subcommand
    set -l cmd (__fish_execenv_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c execenv -n "__fish_execenv_needs_command" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_needs_command" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_needs_command" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_needs_command" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_needs_command" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_needs_command" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_needs_command" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_needs_command" -s V -l version -d 'Print version'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "prepare" -d 'Make an environment and print the path of its env root'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "reuse" -d 'Take an environment into use again, with a fresh task document'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "run" -d 'Run the provider\'s agent, or any program, in an environment and wait for it'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "cleanup" -d 'Take environments down: every sidecar back, then the work dir; output/ and logs/ stay'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "gc" -d 'Collect old environments: one cycle over the workspaces root'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "list" -d 'List every environment under the workspaces root'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "show" -d 'Show one environment in full: record, sidecars, last run, paths'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "verify" -d 'Prove that a work dir is as it was before prepare, or name each difference'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "trash" -d 'What gc, cleanup and prepare put aside: list it, have it back, or delete it'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "doctor" -d 'Look at what is here and what is not well: programs, the workspaces root, environments whose run died'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "demo" -d 'Show the five steps on a built-in task: no account, no server, no agent CLI needed'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "config" -d 'Show every setting in force and where it came from'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c execenv -n "__fish_execenv_needs_command" -f -a "man" -d 'Print a manual page, in the form that `man -l -` reads'
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l task -d 'The task document, a JSON file; `-` reads standard input' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l workspace-id -d 'The workspace [default: `default`]' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l task-id -d 'The task\'s id [default: a new UUID]' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l provider -d 'Which agent CLI the environment is for: claude, opencode, gemini …, or command' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l agent-name -d 'The agent\'s name' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l issue-id -d 'The issue that the task works on' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l chat-session-id -d 'The chat session that the task is a turn of' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l autopilot-run-id -d 'The autopilot run that the task is' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l quick-create-prompt -d 'The sentence that is to become an issue' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l instructions -d 'A file with the agent\'s instructions' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l skills -d 'Folders of `<name>/SKILL.md` trees' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l mcp-config -d 'A JSON file with the MCP servers that the agent sees, and no others' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l platform-cli -d 'The platform\'s program that brief and context speak of, or `none`' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l lease -d 'How long gc leaves the environment alone without a run [default: 24h]' -r
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l local-dir -d 'Work in this folder of yours; `cleanup` brings it back as it was' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l no-brief -d 'Write no brief file'
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l replace -d 'Make an environment of the same task anew (this is the default)'
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -l keep-existing -d 'Hand an environment of the same task back as it is'
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand prepare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l work-dir -d 'Name the environment by its work dir' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l task -d 'The task document, a JSON file; `-` reads standard input' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l workspace-id -d 'The workspace [default: `default`]' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l task-id -d 'The task\'s id [default: a new UUID]' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l provider -d 'Which agent CLI the environment is for: claude, opencode, gemini …, or command' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l agent-name -d 'The agent\'s name' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l issue-id -d 'The issue that the task works on' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l chat-session-id -d 'The chat session that the task is a turn of' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l autopilot-run-id -d 'The autopilot run that the task is' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l quick-create-prompt -d 'The sentence that is to become an issue' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l instructions -d 'A file with the agent\'s instructions' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l skills -d 'Folders of `<name>/SKILL.md` trees' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l mcp-config -d 'A JSON file with the MCP servers that the agent sees, and no others' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l platform-cli -d 'The platform\'s program that brief and context speak of, or `none`' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l lease -d 'How long gc leaves the environment alone without a run [default: 24h]' -r
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l or-prepare -d 'Prepare one where it or its work dir is gone'
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -l no-brief -d 'Write no brief file'
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand reuse" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand run" -l prompt -d 'What the agent is asked to do [default: composed from the task document]' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l prompt-file -d 'A file with the prompt; `-` reads standard input' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand run" -l resume -d 'Go on with the environment\'s last session, or with the one named' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l model -d 'The model' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l max-turns -d 'The most turns the agent may take' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l system-prompt-file -d 'A file whose text is added to the agent\'s system prompt' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand run" -l env -d 'A variable for the agent; may be given more than once' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l env-file -d 'A file of NAME=VALUE lines for the agent' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand run" -l agent-bin -d 'The agent\'s program' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand run" -l agent-arg -d 'One more argument for the agent\'s program' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l timeout -d 'The longest the agent may run; 0: no limit [default: 0]' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l idle-timeout -d 'The longest the agent may be silent while no tool runs; 0: no limit [default: 30m, none for a program]' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l kill-grace -d 'From the polite signal to SIGKILL [default: 5s]' -r
complete -c execenv -n "__fish_execenv_using_subcommand run" -l cancel-file -d 'End the run when this file appears' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand run" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand run" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand run" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand run" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand run" -l clear-env -d 'Pass on no variables but PATH, HOME, USER, SHELL, TERM, LANG and the like'
complete -c execenv -n "__fish_execenv_using_subcommand run" -l cleanup-after -d 'Clean the environment up when the run has ended, however it ends'
complete -c execenv -n "__fish_execenv_using_subcommand run" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand run" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -l all -d 'The whole env root, output/ and logs/ too'
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -l trash -d 'Put what goes into the trash, for `execenv trash restore`'
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -l force -d 'Go on although a sidecar could not be taken back'
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand cleanup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l explain -d 'The decision on one environment, with every fact that it rests on' -r
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l ttl -d 'When an ended task without a parent goes [default: 24h]' -r
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l orphan-ttl -d 'When an environment goes that nobody has used [default: 72h]' -r
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l completed-ttl -d 'When any environment with an ended run goes; 0: that alone is no reason [default: 0]' -r
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l trash-ttl -d 'How long the trash keeps things; 0 removes at once [default: 24h]' -r
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l workspace -d 'Only this workspace' -r
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand gc" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand gc" -l dry-run -d 'Decide and report, change nothing'
complete -c execenv -n "__fish_execenv_using_subcommand gc" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand gc" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand gc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand list" -l workspace -d 'Only this workspace' -r
complete -c execenv -n "__fish_execenv_using_subcommand list" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand list" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand list" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand list" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand list" -l sizes -d 'Add what each takes on the disk'
complete -c execenv -n "__fish_execenv_using_subcommand list" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand list" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand list" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand show" -l file -d 'Print this file of the work dir, byte for byte' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand show" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand show" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand show" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand show" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand show" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand show" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand show" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand verify" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand verify" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand verify" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand verify" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand verify" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand verify" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -f -a "list" -d 'List what is in the trash'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -f -a "restore" -d 'Put something back to where it came from'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and not __fish_seen_subcommand_from list restore empty" -f -a "empty" -d 'Delete everything in the trash for good'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from list" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from list" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from list" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from list" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from restore" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from restore" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from restore" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from restore" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from empty" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from empty" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from empty" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from empty" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from empty" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from empty" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand trash; and __fish_seen_subcommand_from empty" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -l fix -d 'Put right what can be put right'
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand demo" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand demo" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand demo" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand demo" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand demo" -l keep -d 'Keep the folder, to look around in it'
complete -c execenv -n "__fish_execenv_using_subcommand demo" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand demo" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c execenv -n "__fish_execenv_using_subcommand config" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand config" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand config" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand config" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand config" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand config" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand config" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand completions" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand completions" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand completions" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand completions" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand completions" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand completions" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand completions" -s h -l help -d 'Print help'
complete -c execenv -n "__fish_execenv_using_subcommand man" -l workspaces-root -d 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]' -r -f -a "(__fish_complete_directories)"
complete -c execenv -n "__fish_execenv_using_subcommand man" -s o -l output -d 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]' -r -f -a "text\t''
json\t''
shell\t''"
complete -c execenv -n "__fish_execenv_using_subcommand man" -l color -d 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c execenv -n "__fish_execenv_using_subcommand man" -l config -d 'The configuration file [variable: EXECENV_CONFIG]' -r -F
complete -c execenv -n "__fish_execenv_using_subcommand man" -s q -l quiet -d 'Tell nothing but errors'
complete -c execenv -n "__fish_execenv_using_subcommand man" -s v -l verbose -d 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]'
complete -c execenv -n "__fish_execenv_using_subcommand man" -s h -l help -d 'Print help'
