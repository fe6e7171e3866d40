//! Pods and pod templates: defaults and validation that pods and their controllers share.

mod container;
mod defaults;
mod validation;
mod volume;

pub(crate) use container::{PROTOCOLS, port_or_name};
pub(crate) use defaults::{default_pod_spec, default_template};
pub(crate) use validation::{taint_effect, validate_pod_spec, validate_template};
