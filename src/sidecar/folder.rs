//! Which folder a user folder is: what was recorded when it was prepared, compared with what stands there now (decision
//! D40).
//!
//! A path alone proves nothing: the folder may have been moved and another put in its place. The number of a device may
//! change with each boot, mount and container, so it counts within one boot only. Inode and time of birth outlast all
//! of these where the file system keeps them; where it does not, our own files in the folder speak for it
//! ([`Record::is_recognised_in`](super::Record::is_recognised_in)).

use std::io;

use serde::{Deserialize, Serialize};

use crate::sys::boot::boot_id;
use crate::sys::tree::{Stamp, Tree};

/// A folder and the one above it, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Folder {
    /// Number of its inode.
    pub inode: u64,
    /// When it was created, in seconds and nanoseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub born: Option<(u64, u32)>,
    /// Number of its device, during that boot.
    pub device: u64,
    /// The boot; empty: unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub boot: String,
    /// The folder that contains it: while that one is in its place, a missing folder is gone, and no mount is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above: Option<Box<Folder>>,
}

/// Whether two folders are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// They are.
    Yes,
    /// They are not.
    No,
    /// The file systems do not say.
    Unknown,
}

impl Folder {
    /// The open folder, with the one that contains it.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn of(tree: &Tree) -> io::Result<Folder> {
        let boot = boot_id();
        // By `..` of the folder itself, not by its path, which may lead there through a link.
        let above = Tree::open(&tree.path().join("..")).and_then(|above| above.stamp()).ok();
        let mut folder = Folder::new(tree.stamp()?, boot.clone());
        folder.above = above.map(|above| Box::new(Folder::new(above, boot)));
        Ok(folder)
    }

    fn new(stamp: Stamp, boot: String) -> Folder {
        Folder { inode: stamp.inode, born: stamp.born, device: stamp.device, boot, above: None }
    }

    /// Whether the folder that stands there now is this one.
    pub fn is(&self, now: &Folder) -> Same {
        if self.inode != now.inode {
            return Same::No;
        }
        let is_one_boot = !self.boot.is_empty() && self.boot == now.boot;
        match (self.born, now.born) {
            (Some(then), Some(now)) if then != now => Same::No,
            (Some(_), Some(_)) => Same::Yes,
            _ if !is_one_boot => Same::Unknown,
            _ if self.device == now.device => Same::Yes,
            _ => Same::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_counts_and_the_device_within_one_boot_only() {
        let then = Folder { inode: 7, born: Some((1, 2)), device: 3, boot: "a".into(), above: None };
        let unborn = Folder { born: None, ..then.clone() };
        for (then, now, same) in [
            (&then, then.clone(), Same::Yes),
            (&then, Folder { device: 9, boot: "b".into(), ..then.clone() }, Same::Yes),
            (&then, Folder { device: 9, ..then.clone() }, Same::Yes),
            (&then, Folder { inode: 8, ..then.clone() }, Same::No),
            (&then, Folder { born: Some((1, 3)), ..then.clone() }, Same::No),
            (&then, unborn.clone(), Same::Yes),
            (&then, Folder { boot: "b".into(), ..unborn.clone() }, Same::Unknown),
            (&unborn, unborn.clone(), Same::Yes),
            (&unborn, Folder { device: 9, ..unborn.clone() }, Same::No),
            (&unborn, Folder { boot: "b".into(), ..unborn.clone() }, Same::Unknown),
            (
                &Folder { boot: String::new(), ..unborn.clone() },
                Folder { boot: String::new(), ..unborn.clone() },
                Same::Unknown,
            ),
        ] {
            assert_eq!(then.is(&now), same, "{then:?} {now:?}");
        }
    }
}
