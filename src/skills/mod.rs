//! Skills of an agent: the folder each gets, the frontmatter of its `SKILL.md`, and the files beside it.
//!
//! Everything here decides; nothing touches the disk. The caller probes the [`slug::candidates`] of a
//! [`files::PlannedSkill`] in the provider's skills folder and writes what [`files::PlannedSkill::files_for`] gives.

pub mod files;
pub mod frontmatter;
pub mod slug;
