
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'execenv' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'execenv'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'execenv' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('prepare', 'prepare', [CompletionResultType]::ParameterValue, 'Make an environment and print the path of its env root')
            [CompletionResult]::new('reuse', 'reuse', [CompletionResultType]::ParameterValue, 'Take an environment into use again, with a fresh task document')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run the provider''s agent, or any program, in an environment and wait for it')
            [CompletionResult]::new('cleanup', 'cleanup', [CompletionResultType]::ParameterValue, 'Take environments down: every sidecar back, then the work dir; output/ and logs/ stay')
            [CompletionResult]::new('gc', 'gc', [CompletionResultType]::ParameterValue, 'Collect old environments: one cycle over the workspaces root')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List every environment under the workspaces root')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one environment in full: record, sidecars, last run, paths')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Prove that a work dir is as it was before prepare, or name each difference')
            [CompletionResult]::new('trash', 'trash', [CompletionResultType]::ParameterValue, 'What gc, cleanup and prepare put aside: list it, have it back, or delete it')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Look at what is here and what is not well: programs, the workspaces root, environments whose run died')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Show the five steps on a built-in task: no account, no server, no agent CLI needed')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show every setting in force and where it came from')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print a manual page, in the form that `man -l -` reads')
            break
        }
        'execenv;prepare' {
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'The task document, a JSON file; `-` reads standard input')
            [CompletionResult]::new('--workspace-id', '--workspace-id', [CompletionResultType]::ParameterName, 'The workspace [default: `default`]')
            [CompletionResult]::new('--task-id', '--task-id', [CompletionResultType]::ParameterName, 'The task''s id [default: a new UUID]')
            [CompletionResult]::new('--provider', '--provider', [CompletionResultType]::ParameterName, 'Which agent CLI the environment is for: claude, opencode, gemini …, or command')
            [CompletionResult]::new('--agent-name', '--agent-name', [CompletionResultType]::ParameterName, 'The agent''s name')
            [CompletionResult]::new('--issue-id', '--issue-id', [CompletionResultType]::ParameterName, 'The issue that the task works on')
            [CompletionResult]::new('--chat-session-id', '--chat-session-id', [CompletionResultType]::ParameterName, 'The chat session that the task is a turn of')
            [CompletionResult]::new('--autopilot-run-id', '--autopilot-run-id', [CompletionResultType]::ParameterName, 'The autopilot run that the task is')
            [CompletionResult]::new('--quick-create-prompt', '--quick-create-prompt', [CompletionResultType]::ParameterName, 'The sentence that is to become an issue')
            [CompletionResult]::new('--instructions', '--instructions', [CompletionResultType]::ParameterName, 'A file with the agent''s instructions')
            [CompletionResult]::new('--skills', '--skills', [CompletionResultType]::ParameterName, 'Folders of `<name>/SKILL.md` trees')
            [CompletionResult]::new('--mcp-config', '--mcp-config', [CompletionResultType]::ParameterName, 'A JSON file with the MCP servers that the agent sees, and no others')
            [CompletionResult]::new('--platform-cli', '--platform-cli', [CompletionResultType]::ParameterName, 'The platform''s program that brief and context speak of, or `none`')
            [CompletionResult]::new('--lease', '--lease', [CompletionResultType]::ParameterName, 'How long gc leaves the environment alone without a run [default: 24h]')
            [CompletionResult]::new('--local-dir', '--local-dir', [CompletionResultType]::ParameterName, 'Work in this folder of yours; `cleanup` brings it back as it was')
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--no-brief', '--no-brief', [CompletionResultType]::ParameterName, 'Write no brief file')
            [CompletionResult]::new('--replace', '--replace', [CompletionResultType]::ParameterName, 'Make an environment of the same task anew (this is the default)')
            [CompletionResult]::new('--keep-existing', '--keep-existing', [CompletionResultType]::ParameterName, 'Hand an environment of the same task back as it is')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;reuse' {
            [CompletionResult]::new('--work-dir', '--work-dir', [CompletionResultType]::ParameterName, 'Name the environment by its work dir')
            [CompletionResult]::new('--task', '--task', [CompletionResultType]::ParameterName, 'The task document, a JSON file; `-` reads standard input')
            [CompletionResult]::new('--workspace-id', '--workspace-id', [CompletionResultType]::ParameterName, 'The workspace [default: `default`]')
            [CompletionResult]::new('--task-id', '--task-id', [CompletionResultType]::ParameterName, 'The task''s id [default: a new UUID]')
            [CompletionResult]::new('--provider', '--provider', [CompletionResultType]::ParameterName, 'Which agent CLI the environment is for: claude, opencode, gemini …, or command')
            [CompletionResult]::new('--agent-name', '--agent-name', [CompletionResultType]::ParameterName, 'The agent''s name')
            [CompletionResult]::new('--issue-id', '--issue-id', [CompletionResultType]::ParameterName, 'The issue that the task works on')
            [CompletionResult]::new('--chat-session-id', '--chat-session-id', [CompletionResultType]::ParameterName, 'The chat session that the task is a turn of')
            [CompletionResult]::new('--autopilot-run-id', '--autopilot-run-id', [CompletionResultType]::ParameterName, 'The autopilot run that the task is')
            [CompletionResult]::new('--quick-create-prompt', '--quick-create-prompt', [CompletionResultType]::ParameterName, 'The sentence that is to become an issue')
            [CompletionResult]::new('--instructions', '--instructions', [CompletionResultType]::ParameterName, 'A file with the agent''s instructions')
            [CompletionResult]::new('--skills', '--skills', [CompletionResultType]::ParameterName, 'Folders of `<name>/SKILL.md` trees')
            [CompletionResult]::new('--mcp-config', '--mcp-config', [CompletionResultType]::ParameterName, 'A JSON file with the MCP servers that the agent sees, and no others')
            [CompletionResult]::new('--platform-cli', '--platform-cli', [CompletionResultType]::ParameterName, 'The platform''s program that brief and context speak of, or `none`')
            [CompletionResult]::new('--lease', '--lease', [CompletionResultType]::ParameterName, 'How long gc leaves the environment alone without a run [default: 24h]')
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--or-prepare', '--or-prepare', [CompletionResultType]::ParameterName, 'Prepare one where it or its work dir is gone')
            [CompletionResult]::new('--no-brief', '--no-brief', [CompletionResultType]::ParameterName, 'Write no brief file')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;run' {
            [CompletionResult]::new('--prompt', '--prompt', [CompletionResultType]::ParameterName, 'What the agent is asked to do [default: composed from the task document]')
            [CompletionResult]::new('--prompt-file', '--prompt-file', [CompletionResultType]::ParameterName, 'A file with the prompt; `-` reads standard input')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Go on with the environment''s last session, or with the one named')
            [CompletionResult]::new('--model', '--model', [CompletionResultType]::ParameterName, 'The model')
            [CompletionResult]::new('--max-turns', '--max-turns', [CompletionResultType]::ParameterName, 'The most turns the agent may take')
            [CompletionResult]::new('--system-prompt-file', '--system-prompt-file', [CompletionResultType]::ParameterName, 'A file whose text is added to the agent''s system prompt')
            [CompletionResult]::new('--env', '--env', [CompletionResultType]::ParameterName, 'A variable for the agent; may be given more than once')
            [CompletionResult]::new('--env-file', '--env-file', [CompletionResultType]::ParameterName, 'A file of NAME=VALUE lines for the agent')
            [CompletionResult]::new('--agent-bin', '--agent-bin', [CompletionResultType]::ParameterName, 'The agent''s program')
            [CompletionResult]::new('--agent-arg', '--agent-arg', [CompletionResultType]::ParameterName, 'One more argument for the agent''s program')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'The longest the agent may run; 0: no limit [default: 0]')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'The longest the agent may be silent while no tool runs; 0: no limit [default: 30m, none for a program]')
            [CompletionResult]::new('--kill-grace', '--kill-grace', [CompletionResultType]::ParameterName, 'From the polite signal to SIGKILL [default: 5s]')
            [CompletionResult]::new('--cancel-file', '--cancel-file', [CompletionResultType]::ParameterName, 'End the run when this file appears')
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--clear-env', '--clear-env', [CompletionResultType]::ParameterName, 'Pass on no variables but PATH, HOME, USER, SHELL, TERM, LANG and the like')
            [CompletionResult]::new('--cleanup-after', '--cleanup-after', [CompletionResultType]::ParameterName, 'Clean the environment up when the run has ended, however it ends')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;cleanup' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'The whole env root, output/ and logs/ too')
            [CompletionResult]::new('--trash', '--trash', [CompletionResultType]::ParameterName, 'Put what goes into the trash, for `execenv trash restore`')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Go on although a sidecar could not be taken back')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;gc' {
            [CompletionResult]::new('--explain', '--explain', [CompletionResultType]::ParameterName, 'The decision on one environment, with every fact that it rests on')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'When an ended task without a parent goes [default: 24h]')
            [CompletionResult]::new('--orphan-ttl', '--orphan-ttl', [CompletionResultType]::ParameterName, 'When an environment goes that nobody has used [default: 72h]')
            [CompletionResult]::new('--completed-ttl', '--completed-ttl', [CompletionResultType]::ParameterName, 'When any environment with an ended run goes; 0: that alone is no reason [default: 0]')
            [CompletionResult]::new('--trash-ttl', '--trash-ttl', [CompletionResultType]::ParameterName, 'How long the trash keeps things; 0 removes at once [default: 24h]')
            [CompletionResult]::new('--workspace', '--workspace', [CompletionResultType]::ParameterName, 'Only this workspace')
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Decide and report, change nothing')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;list' {
            [CompletionResult]::new('--workspace', '--workspace', [CompletionResultType]::ParameterName, 'Only this workspace')
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--sizes', '--sizes', [CompletionResultType]::ParameterName, 'Add what each takes on the disk')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'execenv;show' {
            [CompletionResult]::new('--file', '--file', [CompletionResultType]::ParameterName, 'Print this file of the work dir, byte for byte')
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'execenv;verify' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;trash' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List what is in the trash')
            [CompletionResult]::new('restore', 'restore', [CompletionResultType]::ParameterValue, 'Put something back to where it came from')
            [CompletionResult]::new('empty', 'empty', [CompletionResultType]::ParameterValue, 'Delete everything in the trash for good')
            break
        }
        'execenv;trash;list' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'execenv;trash;restore' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'execenv;trash;empty' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'execenv;doctor' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--fix', '--fix', [CompletionResultType]::ParameterName, 'Put right what can be put right')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;demo' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Keep the folder, to look around in it')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'execenv;config' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'execenv;completions' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'execenv;man' {
            [CompletionResult]::new('--workspaces-root', '--workspaces-root', [CompletionResultType]::ParameterName, 'Where environments live [variable: EXECENV_WORKSPACES_ROOT, else MULTICA_WORKSPACES_ROOT]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed: text, json, or shell (prepare and reuse) [variable: EXECENV_OUTPUT]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Colour: auto, always or never [variables: NO_COLOR, CLICOLOR_FORCE]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file [variable: EXECENV_CONFIG]')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Tell nothing but errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell more; twice, everything [variable: EXECENV_LOG = errors, warnings, info, debug]')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
