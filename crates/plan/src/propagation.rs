//! Decisions of propagation, one file each: from a template and a policy to manifests for members, and from their status
//! back to the template.
//!
//! ```text
//! template + policies ─► matching ─► binding ─► schedule ─► overrides ─► work ─► member
//!        template.status ◄─ aggregate ◄─ binding.status ◄─ work.status ◄─ reflect, health
//! ```

pub mod affinity;
pub mod aggregate;
pub mod autoscaled;
pub mod binding;
pub mod brake;
pub mod claim;
pub mod collected;
pub mod customized;
pub mod dependencies;
pub mod detect;
pub mod division;
pub mod effect;
pub mod estimate;
mod fields;
pub mod health;
pub mod interpreter;
pub mod matching;
pub mod namespace;
pub mod node_ports;
pub mod overrides;
pub mod policy_messages;
mod preserved_labels;
pub mod prune;
pub mod references;
pub mod reflect;
pub mod refusal;
pub mod remade;
pub mod removal;
pub mod replicas;
pub mod requirements;
pub mod reschedule;
pub mod retain;
pub mod schedule;
pub mod snapshot;
pub mod status;
pub mod work;
pub mod workload_groups;
