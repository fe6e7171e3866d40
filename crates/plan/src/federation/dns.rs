//! Records of federated Services in public zones.

pub mod record;
