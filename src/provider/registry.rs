//! The table of agent CLIs ("providers"): one row for each.
//!
//! Everything that differs by provider is in its row or in its own module, and derives from here: a new provider is one
//! row and, where it needs code of its own, one module.

use std::sync::OnceLock;

use super::row::{HomeFolder, McpChannel, OwnSandbox, Provider, below, login_file};
use super::version::Version;
use super::{
    acp, antigravity, claude, cline, codex, copilot, cursor, dsh, gemini, grok, hermes, kilo, mcp_file, omp,
    openclaw, opencode, pi, qoder, qwen, qwenpaw, reasonix,
};

use crate::order;

/// Where skills go for a provider without a folder of its own.
pub const GENERIC_SKILLS_DIR: &str = ".agent_context/skills";

/// Any program: which file it reads is unknown, so it gets no brief file, and the generic skills folder. Unknown and
/// empty names are treated alike.
pub static COMMAND: Provider = Provider::new("command", GENERIC_SKILLS_DIR).no_brief();

static PROVIDERS: &[Provider] = &[
    Provider::new("antigravity", ".agents/skills")
        .program("agy", "MULTICA_ANTIGRAVITY_PATH")
        .own_arguments(antigravity::OWN_ARGUMENTS)
        .dialects(antigravity::DIALECTS),
    Provider::new(claude::NAME, ".claude/skills")
        .own_sandbox(OwnSandbox::AsTheUserSetIt)
        .brief("CLAUDE.md")
        .program("claude", "MULTICA_CLAUDE_PATH")
        .minimum(Version(2, 0, 0))
        .mcp(McpChannel::File)
        .plan(claude::plan)
        .exports(&[claude::MEMORY_VARIABLE, mcp_file::VARIABLE])
        .login(
            &[
                "ANTHROPIC_API_KEY",
                "ANTHROPIC_AUTH_TOKEN",
                "CLAUDE_CODE_OAUTH_TOKEN",
                "CLAUDE_CODE_USE_BEDROCK",
                "CLAUDE_CODE_USE_VERTEX",
            ],
            login_file("CLAUDE_CONFIG_DIR", ".claude", ".credentials.json"),
        )
        .writes(claude::WRITES)
        .scratch(claude::SCRATCH)
        .login_hint("run `claude setup-token` or set ANTHROPIC_API_KEY")
        .auth_login(claude::AUTH_LOGIN)
        .own_arguments(claude::launch::OWN_ARGUMENTS)
        .dialects(claude::DIALECTS),
    Provider::new("cline", ".cline/skills")
        .own_sandbox(OwnSandbox::None)
        .program("cline", "MULTICA_CLINE_PATH")
        .mcp(McpChannel::Planned)
        .plan(cline::plan)
        .exports(&[cline::SERVERS_VARIABLE, cline::SESSIONS_VARIABLE])
        .login(&["CLINE_API_KEY"], cline::LOGIN)
        .login_hint("run `cline auth`, or set CLINE_PROVIDER and CLINE_API_KEY")
        .own_arguments(cline::OWN_ARGUMENTS)
        .dialects(cline::DIALECTS),
    // A fork of Claude Code.
    Provider::new("codebuddy", ".codebuddy/skills")
        .own_sandbox(OwnSandbox::AsTheUserSetIt)
        .brief("CODEBUDDY.md")
        .program("codebuddy", "MULTICA_CODEBUDDY_PATH")
        .exports(&[mcp_file::VARIABLE])
        .mcp(McpChannel::File)
        .own_arguments(claude::launch::OWN_ARGUMENTS)
        .dialects(claude::DIALECTS),
    Provider::new(codex::NAME, "")
        .own_sandbox(OwnSandbox::SetByExecenv)
        .skills_in_home()
        .program("codex", "MULTICA_CODEX_PATH")
        .minimum(codex::MINIMUM)
        .mcp(McpChannel::Planned)
        .plan(codex::plan)
        .folders(&[codex::FOLDER])
        .login(&["CODEX_API_KEY"], login_file("CODEX_HOME", ".codex", "auth.json"))
        .login_hint("run `codex login`, then `execenv reuse`")
        .exports(&[codex::HOME_VARIABLE, codex::CHECKOUT_VARIABLE])
        .own_variables(&[codex::HOME_VARIABLE])
        .own_arguments(codex::launch::OWN_ARGUMENTS)
        .dialects(codex::DIALECTS),
    Provider::new("copilot", ".github/skills")
        .program("copilot", "MULTICA_COPILOT_PATH")
        .minimum(Version(1, 0, 0))
        .mcp(McpChannel::Planned)
        .plan(copilot::plan)
        .folders(&[copilot::FOLDER])
        .exports(&[copilot::VARIABLE])
        .login(&["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"], None)
        .own_arguments(copilot::OWN_ARGUMENTS)
        .dialects(copilot::DIALECTS),
    Provider::new("cursor", ".cursor/skills")
        .program("cursor-agent", "MULTICA_CURSOR_PATH")
        .mcp(McpChannel::Planned)
        .plan(cursor::plan)
        .sidecars(&[cursor::MCP_FILE])
        .folders(&[cursor::FOLDER])
        .login(&["CURSOR_API_KEY"], login_file("XDG_CONFIG_HOME", ".config", "cursor/auth.json"))
        .exports(&[cursor::DATA_VARIABLE])
        .own_variables(&[cursor::DATA_VARIABLE, cursor::AUTH_VARIABLE])
        .plan_variables(&[cursor::AUTH_VARIABLE])
        .own_arguments(cursor::OWN_ARGUMENTS)
        .dialects(cursor::DIALECTS),
    Provider::new("deveco", ".deveco/skills")
        .mcp(McpChannel::Session)
        .program("deveco", "MULTICA_DEVECO_PATH")
        .own_arguments(acp::OWN_ARGUMENTS)
        .dialects(&[acp::SUBCOMMAND]),
    Provider::new("dim", GENERIC_SKILLS_DIR)
        .mcp(McpChannel::Session)
        .program("dim", "MULTICA_DIM_PATH")
        .own_arguments(acp::DIM_ARGUMENTS)
        .dialects(&[acp::DIM]),
    Provider::new("dsh", ".dsh/skills")
        .mcp(McpChannel::Session)
        .plan(dsh::plan)
        .exports(&[dsh::SESSIONS_VARIABLE, dsh::TELEMETRY_VARIABLE])
        .program("dsh", "MULTICA_DSH_PATH")
        .own_arguments(acp::OWN_ARGUMENTS)
        .dialects(&[acp::SUBCOMMAND]),
    // multica dropped it; execenv keeps it. It also reads `.agents/skills`.
    Provider::new("gemini", ".gemini/skills")
        .own_sandbox(OwnSandbox::AsTheUserSetIt)
        .brief("GEMINI.md")
        .program("gemini", "MULTICA_GEMINI_PATH")
        .mcp(McpChannel::Planned)
        .plan(gemini::plan)
        .folders(&[gemini::HOME])
        .exports(&[gemini::TRUST_VARIABLE, gemini::HOME_VARIABLE])
        .login(
            &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
            login_file("GEMINI_CLI_HOME", "", ".gemini/oauth_creds.json"),
        )
        .writes(gemini::WRITES)
        .scratch(gemini::SCRATCH)
        .own_arguments(gemini::OWN_ARGUMENTS)
        .dialects(gemini::DIALECTS),
    Provider::new("grok", ".grok/skills")
        .forgets_sessions()
        .program("grok", "MULTICA_GROK_PATH")
        .mcp(McpChannel::Session)
        .own_arguments(grok::OWN_ARGUMENTS)
        .dialects(&[grok::CHAT, acp::GROK]),
    Provider::new("hermes", "")
        .own_sandbox(OwnSandbox::None)
        .skills_in_home()
        .program("hermes", "MULTICA_HERMES_PATH")
        .mcp(McpChannel::Planned)
        .plan(hermes::plan)
        .folders(&[hermes::FOLDER])
        .exports(&[hermes::YOLO_VARIABLE, hermes::HOME_VARIABLE])
        .own_arguments(hermes::launch::OWN_ARGUMENTS)
        .lacks_first(hermes::launch::lacks_acp)
        .dialects(&[acp::HERMES, hermes::launch::CHAT]),
    Provider::new("kilo", ".kilo/skills")
        .own_sandbox(OwnSandbox::None)
        .program("kilo", "MULTICA_KILO_PATH")
        .mcp(McpChannel::Session)
        .plan(kilo::plan)
        .sidecars(&[kilo::IGNORE_FILE])
        .login(&[], login_file("XDG_DATA_HOME", ".local/share", "kilo/auth.json"))
        .own_arguments(opencode::OWN_ARGUMENTS)
        .dialects(kilo::DIALECTS),
    Provider::new("kimi", ".kimi/skills")
        .inline_brief()
        .program("kimi", "MULTICA_KIMI_PATH")
        .mcp(McpChannel::Session)
        .own_arguments(acp::OWN_ARGUMENTS)
        .dialects(&[acp::KIMI]),
    Provider::new("kiro", ".kiro/skills")
        .program("kiro-cli", "MULTICA_KIRO_PATH")
        .mcp(McpChannel::Session)
        .own_arguments(acp::KIRO_ARGUMENTS)
        .dialects(&[acp::KIRO]),
    Provider::new("mcode", ".minimax/skills")
        .mcp(McpChannel::Session)
        .program("mcode", "MULTICA_MCODE_PATH")
        .own_arguments(acp::OWN_ARGUMENTS)
        .dialects(&[acp::SUBCOMMAND]),
    Provider::new("omp", ".omp/skills")
        .own_sandbox(OwnSandbox::None)
        .program("omp", "MULTICA_OMP_PATH")
        .mcp(McpChannel::Planned)
        .plan(omp::plan)
        .sidecars(&[omp::MCP_FILE])
        .own_arguments(pi::OWN_ARGUMENTS)
        .dialects(pi::DIALECTS),
    // The configuration of its plan makes the work dir its workspace; then it looks for skills in the work dir's root.
    Provider::new(openclaw::NAME, "skills")
        .inline_brief()
        .program(openclaw::NAME, "MULTICA_OPENCLAW_PATH")
        .minimum(openclaw::MINIMUM)
        .mcp(McpChannel::Planned)
        .plan(openclaw::plan)
        .exports(&[openclaw::CONFIG_VARIABLE, openclaw::ROOTS_VARIABLE])
        .own_variables(&[openclaw::CONFIG_VARIABLE, openclaw::ROOTS_VARIABLE])
        .own_arguments(openclaw::launch::OWN_ARGUMENTS)
        .dialects(openclaw::DIALECTS),
    Provider::new("opencode", ".opencode/skills")
        .own_sandbox(OwnSandbox::None)
        .program("opencode", "MULTICA_OPENCODE_PATH")
        .mcp(McpChannel::Planned)
        .plan(opencode::plan)
        .sidecars(&[opencode::IGNORE_FILE])
        .exports(&[opencode::CONTENT])
        .login(&[], login_file("XDG_DATA_HOME", ".local/share", "opencode/auth.json"))
        .writes(opencode::WRITES)
        .scratch(opencode::SCRATCH)
        .own_arguments(opencode::OWN_ARGUMENTS)
        .dialects(opencode::DIALECTS),
    Provider::new("pi", ".pi/skills")
        .own_sandbox(OwnSandbox::None)
        .program("pi", "MULTICA_PI_PATH")
        .mcp(McpChannel::Never)
        .login(&[], login_file("PI_CODING_AGENT_DIR", ".pi/agent", "auth.json"))
        .writes(&[below("PI_CODING_AGENT_DIR", ".pi/agent", "sessions")])
        .scratch(&[below("PI_CODING_AGENT_DIR", ".pi/agent", "")])
        .own_arguments(pi::OWN_ARGUMENTS)
        .dialects(pi::DIALECTS),
    Provider::new("qoder", ".qoder/skills")
        .program("qodercli", "MULTICA_QODER_PATH")
        .exports(&[mcp_file::VARIABLE])
        .mcp(McpChannel::File)
        .own_arguments(qoder::OWN_ARGUMENTS)
        .dialects(qoder::DIALECTS),
    Provider::new("qoderclicn", ".qoder/skills")
        .mcp(McpChannel::Session)
        .program("qoderclicn", "MULTICA_QODERCLICN_PATH")
        .own_arguments(acp::OWN_ARGUMENTS)
        .dialects(&[acp::QODERCLICN]),
    Provider::new("qwen", ".qwen/skills")
        .own_sandbox(OwnSandbox::AsTheUserSetIt)
        .brief("QWEN.md")
        .program("qwen", "MULTICA_QWEN_PATH")
        .mcp(McpChannel::Planned)
        .plan(qwen::plan)
        .exports(&[qwen::VARIABLE])
        .login(&["OPENAI_API_KEY"], login_file("QWEN_HOME", ".qwen", "oauth_creds.json"))
        .writes(&[below("QWEN_HOME", ".qwen", "projects"), below("QWEN_HOME", ".qwen", "tmp")])
        .scratch(&[below("QWEN_HOME", ".qwen", "")])
        .own_arguments(qwen::OWN_ARGUMENTS)
        .dialects(qwen::DIALECTS),
    Provider::new("qwenpaw", "")
        .skills_in_home()
        .inline_brief()
        .mcp(McpChannel::Session)
        .plan(qwenpaw::plan)
        .exports(&[qwenpaw::WORKSPACE_VARIABLE])
        .program("qwenpaw", "MULTICA_QWENPAW_PATH")
        .own_arguments(acp::QWENPAW_ARGUMENTS)
        .dialects(&[acp::QWENPAW]),
    Provider::new("reasonix", ".reasonix/skills")
        .program("reasonix", "MULTICA_REASONIX_PATH")
        .mcp(McpChannel::Session)
        .plan(reasonix::plan)
        .sidecars(&[reasonix::FILE])
        .exports(&[reasonix::STATE_VARIABLE])
        .own_variables(&[reasonix::STATE_VARIABLE])
        .own_arguments(reasonix::launch::OWN_ARGUMENTS)
        .dialects(&[reasonix::launch::STREAM, acp::REASONIX]),
    Provider::new("traecli", ".traecli/skills")
        .inline_brief()
        .mcp(McpChannel::Session)
        .program("traecli", "MULTICA_TRAECLI_PATH")
        .own_arguments(acp::OWN_ARGUMENTS)
        .dialects(&[acp::TRAECLI]),
];

/// The providers that the user's configuration describes.
static DESCRIBED: OnceLock<Vec<Provider>> = OnceLock::new();

/// Adds the providers that the user's configuration describes; the first call of the process counts.
pub fn describe(providers: Vec<Provider>) {
    if !providers.is_empty() {
        let _ = DESCRIBED.set(providers);
    }
}

/// Every provider with a row, `command` first.
pub fn all() -> impl Iterator<Item = &'static Provider> {
    built_in().chain(DESCRIBED.get().into_iter().flatten())
}

/// The same without those that the user describes.
pub(super) fn built_in() -> impl Iterator<Item = &'static Provider> {
    std::iter::once(&COMMAND).chain(PROVIDERS)
}

/// The provider of that name.
pub fn find(name: &str) -> Option<&'static Provider> {
    all().find(|provider| provider.name == name)
}

/// The provider of that name; [`COMMAND`]'s layout for one that is not known.
pub fn find_or_generic(name: &str) -> &'static Provider {
    find(name).unwrap_or(&COMMAND)
}

/// Variables of the table that a task may not set.
pub fn own_variables() -> impl Iterator<Item = &'static str> {
    all().flat_map(|provider| provider.own_variables).copied()
}

/// Variables of the table that a plan reads and the agent does not get.
pub fn plan_variables() -> impl Iterator<Item = &'static str> {
    all().flat_map(|provider| provider.plan_variables).copied()
}

/// The folders among the homes of all providers.
pub fn folders() -> impl Iterator<Item = &'static HomeFolder> {
    all().flat_map(|provider| provider.folders)
}

/// Every skills folder of the table, each once: reuse takes skills back whichever provider had them.
pub fn every_skills_dir() -> Vec<&'static str> {
    sorted_once(all().filter_map(|provider| provider.skills_dir))
}

/// Every brief file of the table, each once.
pub fn every_brief_file() -> Vec<&'static str> {
    sorted_once(all().filter_map(|provider| provider.brief_file))
}

/// Every other file that a plan of the table puts into a work dir, each once.
pub fn every_sidecar() -> Vec<&'static str> {
    sorted_once(all().flat_map(|provider| provider.sidecars.iter().copied()))
}

fn sorted_once(values: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    order::set(values).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{self, Owner, Secret};
    use crate::provider::fixture::World;

    #[test]
    fn each_provider_has_its_folder_and_its_brief() {
        for (name, skills_dir, brief_file, inline) in [
            ("antigravity", ".agents/skills", "AGENTS.md", false),
            ("claude", ".claude/skills", "CLAUDE.md", false),
            ("cline", ".cline/skills", "AGENTS.md", false),
            ("codebuddy", ".codebuddy/skills", "CODEBUDDY.md", false),
            ("codex", "", "AGENTS.md", false),
            ("command", ".agent_context/skills", "", false),
            ("copilot", ".github/skills", "AGENTS.md", false),
            ("cursor", ".cursor/skills", "AGENTS.md", false),
            ("deveco", ".deveco/skills", "AGENTS.md", false),
            ("dim", ".agent_context/skills", "AGENTS.md", false),
            ("dsh", ".dsh/skills", "AGENTS.md", false),
            ("gemini", ".gemini/skills", "GEMINI.md", false),
            ("grok", ".grok/skills", "AGENTS.md", false),
            ("hermes", "", "AGENTS.md", false),
            ("kilo", ".kilo/skills", "AGENTS.md", false),
            ("kimi", ".kimi/skills", "AGENTS.md", true),
            ("kiro", ".kiro/skills", "AGENTS.md", false),
            ("mcode", ".minimax/skills", "AGENTS.md", false),
            ("omp", ".omp/skills", "AGENTS.md", false),
            ("openclaw", "skills", "AGENTS.md", true),
            ("opencode", ".opencode/skills", "AGENTS.md", false),
            ("pi", ".pi/skills", "AGENTS.md", false),
            ("qoder", ".qoder/skills", "AGENTS.md", false),
            ("qoderclicn", ".qoder/skills", "AGENTS.md", false),
            ("qwen", ".qwen/skills", "QWEN.md", false),
            ("qwenpaw", "", "AGENTS.md", true),
            ("reasonix", ".reasonix/skills", "AGENTS.md", false),
            ("traecli", ".traecli/skills", "AGENTS.md", true),
        ] {
            let provider = find(name).unwrap();
            assert_eq!(provider.skills_dir.unwrap_or_default(), skills_dir, "{name}");
            assert_eq!(provider.brief_file.unwrap_or_default(), brief_file, "{name}");
            assert_eq!(provider.inline_brief, inline, "{name}");
        }
        assert_eq!(all().count(), 28);
    }

    #[test]
    fn an_unknown_name_gets_the_generic_layout() {
        for name in ["", "Claude", "no-such-agent"] {
            assert!(find(name).is_none());
            assert_eq!(find_or_generic(name).name, COMMAND.name);
        }
    }

    /// The cells of a table in `docs/providers.md` that name providers or homes.
    fn documented(section: &str) -> Vec<&'static str> {
        let text = include_str!("../../docs/providers.md");
        let section = text.split("\n## ").find(|part| part.starts_with(section)).unwrap();
        let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
    }

    #[test]
    fn the_paper_on_providers_names_each_one() {
        let mut names: Vec<&str> = all().map(|provider| provider.name).collect();
        names.sort_unstable();
        let mut remembering = documented("Memory");
        remembering.sort_unstable();
        assert_eq!(remembering, names);
        let with_plan = all().filter(|provider| provider.plan.is_some()).map(|provider| provider.name);
        let limited = documented("Limits");
        for name in with_plan.filter(|name| !["dsh", "qwenpaw"].contains(name)) {
            assert!(limited.contains(&name), "{name}");
        }
        let mut homes: Vec<&str> = folders().map(|folder| folder.name).collect();
        homes.sort_unstable();
        let mut linked = documented("Logins");
        linked.sort_unstable();
        assert_eq!(linked, homes);
    }

    #[test]
    fn names_are_unique_and_paths_stay_in_the_work_dir() {
        let names: std::collections::BTreeSet<_> = all().map(|provider| provider.name).collect();
        assert_eq!(names.len(), all().count());
        for path in every_skills_dir().into_iter().chain(every_brief_file()).chain(every_sidecar()) {
            assert!(!path.is_empty() && !path.starts_with('/') && !path.contains(".."), "{path}");
        }
    }

    #[test]
    fn each_planned_sidecar_is_listed_in_its_row() {
        let mut unplanned: Vec<&str> = every_sidecar();
        for provider in all() {
            for servers in [None, Some("{}"), Some(r#"{"a":{"command":"x"}}"#)] {
                for is_local in [false, true] {
                    let skill =
                        crate::task::Skill { name: "s".into(), content: "x".into(), ..Default::default() };
                    let mut world = World::new().skills(&[skill]);
                    world.is_local = is_local;
                    world.task.provider = provider.name.into();
                    world.task.agent.instructions = "Be brief.".into();
                    if let Some(servers) = servers {
                        world.manage(servers);
                    }
                    // What cannot be planned here makes no environment either.
                    let Ok(plan) = world.plan(crate::provider::homes::plan) else { continue };
                    for sidecar in &plan.sidecars {
                        let path = sidecar.path.to_str().unwrap();
                        assert!(provider.sidecars.contains(&path), "{}: {path}", provider.name);
                        unplanned.retain(|known| *known != path);
                    }
                }
            }
        }
        assert!(unplanned.is_empty(), "planned by none here: {unplanned:?}");
    }

    #[test]
    fn what_lives_in_a_home_is_planned() {
        for provider in all().filter(|provider| provider.skills_dir.is_none()) {
            assert!(provider.plan.is_some(), "{}", provider.name);
        }
    }

    #[test]
    fn the_homes_of_a_provider_are_in_the_layout_as_its_own() {
        for provider in all() {
            for folder in provider.folders {
                let row = layout::in_env(folder.name).expect(folder.name);
                assert_eq!(row.owner, Owner::Provider(provider.name));
                assert_ne!(row.secret, Secret::No);
            }
        }
        for row in layout::TABLE {
            if let Owner::Provider(name) = row.owner {
                assert!(find(name).is_some_and(|provider| provider.plan.is_some()), "{row:?}");
            }
        }
    }

    #[test]
    fn the_runnable_ones_have_a_program() {
        let runnable: Vec<_> = all().filter(|p| !p.dialects.is_empty()).map(|p| p.name).collect();
        assert!(
            ["claude", "codebuddy", "codex", "hermes", "openclaw", "grok", "antigravity"]
                .iter()
                .all(|name| runnable.contains(name))
        );
        assert!(all().filter(|p| !p.dialects.is_empty()).all(|p| p.program.is_some()));
    }

    #[test]
    fn the_lists_have_every_entry_once() {
        assert_eq!(every_brief_file(), ["AGENTS.md", "CLAUDE.md", "CODEBUDDY.md", "GEMINI.md", "QWEN.md"]);
        assert_eq!(every_skills_dir().len(), 23);
    }
}
