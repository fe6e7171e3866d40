//! The path of one template from the hub to the members, step by step, and the first step that is broken.
//!
//! `portolan why KIND/NAME` reads the objects and calls [`diagnose`]. The verdicts come from the functions by which the
//! controllers act: `detect`, `schedule`, `work` and `overrides` of [`propagation`](crate::propagation). A step that
//! could not be read says so; nothing is claimed about it.
//!
//! ```text
//! template ─► policy ─► binding ─► schedule ─┬─► overrides ─► work ─► member ─► status    (cluster eu)
//!                                            └─► overrides ─► work ─► member ─► status    (cluster us)
//! ```

mod being_deleted;
mod chosen;
mod dispatch;
mod facts;
mod member;
mod mismatch;
mod pods;
mod policy;
mod scheduling;
mod step;
pub mod sweep;
mod template;
pub mod tree;
mod unchosen;
mod unhealthy;
mod unmet;

pub use facts::{Facts, MemberFacts, Read};
pub use step::{Diagnosis, Hop, Step, Verdict};

/// Walks the path of a template.
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let subject = format!("{} {}", facts.kind.kind, facts.key);
    Diagnosis { subject, steps: walk(facts) }
}

fn walk(facts: &Facts) -> Vec<Step> {
    let mut steps = Vec::new();
    let (step, template) = template::template(facts);
    steps.push(step);
    let Some(template) = template else { return steps };
    if dispatch::follows_without_policy(template) {
        steps.extend(dispatch::namespace(facts, template));
        return steps;
    }
    let (step, chosen) = policy::policy(facts, template);
    let places_it = chosen.is_some() && step.verdict != Verdict::Broken;
    steps.push(step);
    let binding = match &facts.binding {
        Err(error) => {
            steps.push(Step::not_looked_at(Hop::Binding, error));
            return steps;
        }
        Ok(binding) => binding.as_ref(),
    };
    if binding.is_none() && !places_it {
        return steps;
    }
    let (step, binding) = scheduling::binding(facts, template, chosen);
    steps.push(step);
    let Some(binding) = binding else { return steps };
    steps.extend(scheduling::dependencies(binding));
    steps.extend(scheduling::not_made(binding));
    steps.push(scheduling::schedule(facts, binding));
    steps.extend(dispatch::clusters(facts, template, binding));
    steps
}

#[cfg(test)]
mod tests;
