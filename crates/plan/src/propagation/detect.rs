//! Decides about one template: whether it is one, which policy claims it, and when the policy takes effect.
//!
//! | file | question |
//! | --- | --- |
//! | `skipped` | which kinds and namespaces are never propagated? |
//! | `template` | is an object a template? |
//! | `order` | which of several policies gets a template, and which takes it from another? |
//! | `decision` | what is to be done about a template now? |
//! | `lazy` | does the policy take effect now, or with the next change of the template? |
//! | `explain` | why has a policy a template, or not? |
//! | `change` | can a change of a template change what members get? |

mod candidate;
mod change;
mod decision;
mod explain;
mod lazy;
mod order;
mod skipped;
mod template;

#[cfg(test)]
mod tests;

pub use candidate::{Candidate, claim_of, permanent_id_label};
pub use change::is_relevant;
pub use decision::{Decision, Taking, decide};
pub use explain::{Verdict, explain, name};
pub use lazy::{Activation, activation};
pub use order::{Advantage, NoPreemption};
pub use skipped::{Skipped, SkippedError};
pub use template::{Exclusion, exclusion, is_template};
