//! As whom a container runs, and what it gives up.

use std::collections::{BTreeMap, BTreeSet};

use longshore_crds::{Run, SysctlName};

use super::{Settings, refused};
use crate::app::Block;

/// As whom a container runs, and what it gives up. None of it gives more than the engine gives to all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// The user; the image's own when absent.
    pub user: Option<u32>,
    /// The user's group.
    pub group: Option<u32>,
    /// Further groups.
    pub groups: BTreeSet<u32>,
    /// Whether the container's own file system cannot be written to.
    pub has_read_only_root: bool,
    /// Whether no program may gain rights.
    pub gains_no_privileges: bool,
    /// The capabilities that are taken away, without `CAP_`.
    pub dropped_capabilities: BTreeSet<String>,
    /// Settings of the kernel.
    pub sysctls: BTreeMap<SysctlName, String>,
}

impl Security {
    pub(crate) fn of(run: &Run) -> Result<Self, Block> {
        let Some(context) = &run.security_context else {
            return Ok(Self::default());
        };
        if context.run_as_group.is_some() && context.run_as_user.is_none() {
            let message = "is the group of runAsUser: name runAsUser too";
            return Err(refused("securityContext.runAsGroup", message));
        }
        let group = |number: i64| id(number, "supplementalGroups");
        let dropped = context.capabilities.iter().flat_map(|capabilities| &capabilities.drop);
        Ok(Self {
            user: context.run_as_user.map(|number| id(number, "runAsUser")).transpose()?,
            group: context.run_as_group.map(|number| id(number, "runAsGroup")).transpose()?,
            groups: context.supplemental_groups.iter().copied().map(group).collect::<Result<_, _>>()?,
            has_read_only_root: context.read_only_root_filesystem.unwrap_or(false),
            gains_no_privileges: context.allow_privilege_escalation == Some(false),
            dropped_capabilities: dropped.cloned().collect(),
            sysctls: context.sysctls.iter().map(|sysctl| (sysctl.name, sysctl.value.clone())).collect(),
        })
    }

    pub(crate) fn settings(&self, settings: &mut Settings) {
        settings.set("user", self.user.as_ref());
        settings.set("group", self.group.as_ref());
        settings.list("further groups", self.groups.iter().map(u32::to_string));
        settings.flag("read-only root", self.has_read_only_root);
        settings.flag("no new privileges", self.gains_no_privileges);
        settings.list("dropped capabilities", self.dropped_capabilities.iter().cloned());
        for (name, value) in &self.sysctls {
            settings.add(&format!("sysctl {}", name.as_str()), value);
        }
    }
}

fn id(number: i64, field: &str) -> Result<u32, Block> {
    let id = i32::try_from(number).ok().and_then(|number| u32::try_from(number).ok());
    id.ok_or_else(|| {
        let message = format!("{number} is no number of a user or a group, which is 0 to 2147483647");
        refused(&format!("securityContext.{field}"), message)
    })
}
