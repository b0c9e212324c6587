//! What the task may draw on: repositories, the project and its resources, skills.

use serde_json::Value;

use super::sanitize::{block, blockquote, code_span, display_name, one_line};
use super::scene::Scene;
use crate::task::{ProjectResource, Repository, TaskKind};

pub(super) fn repositories(scene: &Scene) -> Option<String> {
    let named = scene.task.repos.iter().filter(|repository| !repository.url.trim().is_empty());
    let bullets: Vec<_> = named.map(repository).collect();
    if bullets.is_empty() {
        return None;
    }
    let how = match scene.cli {
        Some(cli) => format!(
            "Nothing is cloned yet. `{}` puts a repository into the work dir, on a branch of your own.",
            cli.checkout()
        ),
        None => "The task refers to these. They are not cloned for you.".to_owned(),
    };
    Some(format!("## Repositories\n\n{how}\n\n{}", bullets.join("\n")))
}

fn repository(repository: &Repository) -> String {
    let mut bullet = format!("- {}", code_span(&repository.url));
    if !repository.reference.trim().is_empty() {
        bullet.push_str(&format!(" (check out at {})", code_span(&repository.reference)));
    }
    with_label(bullet, &one_line(&repository.description))
}

fn with_label(mut bullet: String, label: &str) -> String {
    if !label.is_empty() {
        bullet.push_str(" — ");
        bullet.push_str(label);
    }
    bullet
}

/// Neutral as to the kind of task: a chat in a project gets the same.
pub(super) fn context(scene: &Scene) -> Option<String> {
    let task = scene.task;
    if task.project_id.is_empty() && task.project_resources.is_empty() {
        return None;
    }
    let mut parts = vec!["## Project Context".to_owned()];
    let title = display_name(&task.project_title);
    if !title.is_empty() {
        parts.push(format!("The task belongs to the project **{title}**."));
    }
    if let Some(description) = block(task.project_description.trim()) {
        parts.push(format!("Its owner says what always holds for it:\n\n{}", blockquote(&description)));
    }
    if task.project_resources.is_empty() {
        parts.push("No resources are attached to it yet.".to_owned());
    } else {
        let repository = if scene.cli.is_some() && scene.kind != TaskKind::QuickCreate {
            " Get a repository with the checkout command, with `--ref` where an exact revision is named."
        } else {
            ""
        };
        let bullets: Vec<_> = task.project_resources.iter().map(resource).collect();
        parts.push(format!(
            "Its resources, also in `.multica/project/resources.json`, are references: look at one when the task needs \
             it.{repository}\n\n{}",
            bullets.join("\n")
        ));
    }
    Some(parts.join("\n\n"))
}

fn resource(resource: &ProjectResource) -> String {
    let bullet = match resource.resource_type.as_str() {
        "github_repo" => github_repository(&resource.resource_ref),
        other => {
            // A missing reference reads as an empty object already; a default-made resource has `null`.
            let name = Some(display_name(other)).filter(|name| !name.is_empty());
            let name = name.as_deref().unwrap_or("resource");
            format!("- **{name}**: {}", code_span(&resource.resource_ref.to_string()))
        }
    };
    with_label(bullet, &one_line(&resource.label))
}

fn github_repository(reference: &Value) -> String {
    let text =
        |key: &str| reference.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let mut bullet = "- **GitHub repo**:".to_owned();
    if let Some(url) = text("url") {
        bullet.push_str(&format!(" {}", code_span(url)));
    }
    let pinned = text("ref").map(|pin| format!("check out at {}", code_span(pin)));
    let branch = text("default_branch_hint").map(|branch| format!("default branch {}", code_span(branch)));
    let notes: Vec<_> = pinned.into_iter().chain(branch).collect();
    if !notes.is_empty() {
        bullet.push_str(&format!(" ({})", notes.join(", ")));
    }
    bullet
}

/// Names only: each agent CLI lists descriptions by itself.
pub(super) fn skills(scene: &Scene) -> Option<String> {
    if scene.skills.is_empty() {
        return None;
    }
    let bullets: Vec<_> = scene.skills.iter().map(|slug| format!("- {}", one_line(slug))).collect();
    Some(format!("## Skills\n\nInstalled for this task; use one where it fits.\n\n{}", bullets.join("\n")))
}
