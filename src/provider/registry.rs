//! The table of agent CLIs: where each looks for skills and for the brief, and how its program is found.
//!
//! One row a provider. Injecting and cleaning up, preparing and reusing read the same row, so they cannot
//! disagree about a path.

/// Where skills go for a provider without a folder of its own.
pub const GENERIC_SKILLS_DIR: &str = ".agent_context/skills";

/// What is known of one agent CLI.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// The word of the task document.
    pub name: &'static str,
    /// Where the CLI finds skills, relative to the work dir. `None`: in a home of its own, never in the work dir.
    pub skills_dir: Option<&'static str>,
    /// The file in the work dir that the CLI reads at its start.
    pub brief_file: Option<&'static str>,
    /// The brief must stand in the prompt as well, because the file alone is not trusted to be read.
    pub inline_brief: bool,
    /// The program on `PATH`; `None` where none is known or any will do.
    pub program: Option<&'static str>,
    /// The variable that names another program.
    pub path_variable: Option<&'static str>,
    /// `run` can start it and read what it says.
    pub runnable: bool,
}

/// A row in the common form: own skills folder, `AGENTS.md`, the brief in the file only.
const fn agents_md(name: &'static str, skills_dir: &'static str) -> Provider {
    Provider {
        name,
        skills_dir: Some(skills_dir),
        brief_file: Some("AGENTS.md"),
        inline_brief: false,
        program: None,
        path_variable: None,
        runnable: false,
    }
}

impl Provider {
    const fn brief(mut self, file: &'static str) -> Self {
        self.brief_file = Some(file);
        self
    }

    const fn inline(mut self) -> Self {
        self.inline_brief = true;
        self
    }

    const fn program(mut self, program: &'static str, path_variable: &'static str) -> Self {
        self.program = Some(program);
        self.path_variable = Some(path_variable);
        self
    }

    const fn skills_in_own_home(mut self) -> Self {
        self.skills_dir = None;
        self
    }

    const fn runnable(mut self) -> Self {
        self.runnable = true;
        self
    }
}

/// Any program: nobody knows which file it reads, so it gets no brief file and the generic skills folder.
/// Unknown and empty names are treated the same.
pub static COMMAND: Provider = Provider {
    name: "command",
    skills_dir: Some(GENERIC_SKILLS_DIR),
    brief_file: None,
    inline_brief: false,
    program: None,
    path_variable: None,
    runnable: false,
};

static PROVIDERS: &[Provider] = &[
    agents_md("antigravity", ".agents/skills").program("agy", "MULTICA_ANTIGRAVITY_PATH"),
    agents_md("claude", ".claude/skills")
        .brief("CLAUDE.md")
        .program("claude", "MULTICA_CLAUDE_PATH")
        .runnable(),
    agents_md("codebuddy", ".codebuddy/skills")
        .brief("CODEBUDDY.md")
        .program("codebuddy", "MULTICA_CODEBUDDY_PATH")
        .runnable(),
    agents_md("codex", "").skills_in_own_home().program("codex", "MULTICA_CODEX_PATH"),
    agents_md("copilot", ".github/skills").program("copilot", "MULTICA_COPILOT_PATH"),
    agents_md("cursor", ".cursor/skills").program("cursor-agent", "MULTICA_CURSOR_PATH"),
    agents_md("deveco", ".deveco/skills"),
    agents_md("dim", GENERIC_SKILLS_DIR),
    agents_md("dsh", ".dsh/skills"),
    // Upstream dropped it; its real skills folder is the one below, beside `.agents/skills`.
    agents_md("gemini", ".gemini/skills").brief("GEMINI.md").program("gemini", "MULTICA_GEMINI_PATH"),
    agents_md("grok", ".grok/skills").program("grok", "MULTICA_GROK_PATH"),
    agents_md("hermes", "").skills_in_own_home().program("hermes", "MULTICA_HERMES_PATH"),
    agents_md("kimi", ".kimi/skills").inline().program("kimi", "MULTICA_KIMI_PATH"),
    agents_md("kiro", ".kiro/skills").program("kiro-cli", "MULTICA_KIRO_PATH"),
    agents_md("mcode", ".minimax/skills"),
    agents_md("omp", ".omp/skills").program("omp", "MULTICA_OMP_PATH"),
    // The per-task configuration makes the work dir its workspace; then skills are in the work dir's root.
    agents_md("openclaw", "skills").inline().program("openclaw", "MULTICA_OPENCLAW_PATH"),
    agents_md("opencode", ".opencode/skills").program("opencode", "MULTICA_OPENCODE_PATH"),
    agents_md("pi", ".pi/skills").program("pi", "MULTICA_PI_PATH"),
    agents_md("qoder", ".qoder/skills").program("qodercli", "MULTICA_QODER_PATH"),
    agents_md("qoderclicn", ".qoder/skills"),
    agents_md("qwen", ".qwen/skills").brief("QWEN.md").program("qwen", "MULTICA_QWEN_PATH"),
    agents_md("qwenpaw", "").skills_in_own_home().inline(),
    agents_md("reasonix", ".reasonix/skills"),
    agents_md("traecli", ".traecli/skills").inline(),
];

/// Every provider with a row, `command` first.
pub fn all() -> impl Iterator<Item = &'static Provider> {
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

/// Every skills folder of the table, each once: reuse takes skills back whichever provider had them.
pub fn every_skills_dir() -> Vec<&'static str> {
    sorted_once(all().filter_map(|provider| provider.skills_dir))
}

/// Every brief file of the table, each once.
pub fn every_brief_file() -> Vec<&'static str> {
    sorted_once(all().filter_map(|provider| provider.brief_file))
}

fn sorted_once(values: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    values.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_its_folder_and_its_brief() {
        for (name, skills_dir, brief_file, inline) in [
            ("antigravity", ".agents/skills", "AGENTS.md", false),
            ("claude", ".claude/skills", "CLAUDE.md", false),
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
        assert_eq!(all().count(), 26);
    }

    #[test]
    fn an_unknown_name_gets_the_generic_layout() {
        for name in ["", "Claude", "no-such-agent"] {
            assert_eq!(find(name), None);
            assert_eq!(find_or_generic(name), &COMMAND);
        }
    }

    #[test]
    fn names_are_unique_and_paths_stay_in_the_work_dir() {
        let names: std::collections::BTreeSet<_> = all().map(|provider| provider.name).collect();
        assert_eq!(names.len(), all().count());
        for path in every_skills_dir().into_iter().chain(every_brief_file()) {
            assert!(!path.is_empty() && !path.starts_with('/') && !path.contains(".."), "{path}");
        }
    }

    #[test]
    fn what_lives_in_a_home_is_planned() {
        for provider in all().filter(|provider| provider.skills_dir.is_none()) {
            assert!(crate::provider::homes::is_planned(provider.name), "{}", provider.name);
        }
    }

    #[test]
    fn the_runnable_ones_have_a_program() {
        let runnable: Vec<_> = all().filter(|p| p.runnable).map(|p| p.name).collect();
        assert_eq!(runnable, ["claude", "codebuddy"]);
        assert!(all().filter(|p| p.runnable).all(|p| p.program.is_some()));
    }

    #[test]
    fn the_lists_have_every_entry_once() {
        assert_eq!(every_brief_file(), ["AGENTS.md", "CLAUDE.md", "CODEBUDDY.md", "GEMINI.md", "QWEN.md"]);
        assert_eq!(every_skills_dir().len(), 21);
    }
}
