//! Agents of clusters in pull mode: who they are, and what they may do in the control plane.

mod identity;
pub mod roles;
pub mod token;

pub use identity::{
    BOOTSTRAPPERS, BOUND_TOKENS, GROUP, ROLE_MAKER, SIGNER, UNBOUND_TOKENS, bound_token_group,
    cluster_of_token_group, cluster_of_user, user,
};
