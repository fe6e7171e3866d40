//! Scaling by metrics of all clusters, and by the time of day.
//!
//! [`cron`] decides which rules of a CronFederatedHPA are due. [`evaluate`] decides about a FederatedHPA, with the algorithm of
//! Kubernetes' HorizontalPodAutoscaler (kubernetes pkg/controller/podautoscaler): `usage` compares metrics with their targets,
//! `pace` limits how fast the replicas change.

pub mod cron;
mod evaluate;
mod pace;
pub mod read;
mod sample;
mod settings;
pub mod template;
mod usage;

pub use evaluate::{Decision, condition_of, evaluate};
pub use pace::History;
pub use sample::{ContainerRequests, Observed, PodId, PodSample, Usage};
pub use settings::Settings;
