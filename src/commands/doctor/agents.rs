//! What execenv makes of each agent CLI.

use super::document::{AgentReport, DialectReport, McpReport, TellsReport};
use crate::output::Column;
use crate::provider::Provider;
use crate::provider::launch::{Dialect, Tells};
use crate::provider::row::{McpChannel, OwnSandbox};

/// The columns of the table.
pub(super) const COLUMNS: [Column; 6] = [
    Column::words("AGENT"),
    Column::words("DIALECTS").at_least(12),
    Column::words("MCP SERVERS"),
    Column::words("RESUME").rank(1),
    Column::words("TELLS").rank(2),
    Column::words("OWN SANDBOX").rank(3),
];

/// One line of the table.
pub(super) fn row(provider: &Provider) -> [String; 6] {
    let dialects: Vec<&str> = provider.dialects.iter().map(|dialect| dialect.name).collect();
    let dialects =
        if dialects.is_empty() { "none: `run ENV -- PROGRAM`".into() } else { dialects.join(", ") };
    let tells = provider.dialects.first().map(|dialect| told(dialect.tells)).unwrap_or_default();
    [
        provider.name.to_owned(),
        dialects,
        servers(provider.mcp).to_owned(),
        if provider.resumes() { "yes" } else { "no" }.to_owned(),
        if tells.is_empty() { "nothing".to_owned() } else { tells.join(", ") },
        sandbox(provider.own_sandbox).to_owned(),
    ]
}

/// The same for programs.
pub(super) fn report(provider: &Provider) -> AgentReport {
    let dialect = |dialect: &Dialect| {
        let Tells { tokens, cost, turns } = dialect.tells;
        DialectReport { name: dialect.name, tells: TellsReport { tokens, cost, turns } }
    };
    AgentReport {
        dialects: provider.dialects.iter().map(dialect).collect(),
        mcp: McpReport { strict: is_strict(provider.mcp), why: servers(provider.mcp) },
        resumes: provider.resumes(),
        own_sandbox: sandbox(provider.own_sandbox),
    }
}

/// Whether the agent can be limited to the task's MCP servers.
fn is_strict(channel: McpChannel) -> bool {
    matches!(channel, McpChannel::Planned | McpChannel::File | McpChannel::Never)
}

fn servers(channel: McpChannel) -> &'static str {
    match channel {
        McpChannel::Planned | McpChannel::File => "the task's only",
        McpChannel::Session => "the task's and yours",
        McpChannel::Never => "it has no MCP client",
        McpChannel::Unknown => "yours only",
    }
}

fn told(tells: Tells) -> Vec<&'static str> {
    let words = [(tells.tokens, "tokens"), (tells.cost, "cost"), (tells.turns, "turns")];
    words.into_iter().filter(|(is_told, _)| *is_told).map(|(_, word)| word).collect()
}

fn sandbox(sandbox: OwnSandbox) -> &'static str {
    match sandbox {
        OwnSandbox::Unknown => "not known",
        OwnSandbox::None => "it has none",
        OwnSandbox::AsTheUserSetIt => "as your settings say",
        OwnSandbox::SetByExecenv => "`--codex-sandbox`",
    }
}
