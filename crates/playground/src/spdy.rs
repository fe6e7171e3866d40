//! The server's side of SPDY/3.1, as Kubernetes uses it to put several streams on one connection.
//!
//! API servers speak it to kubelets for attach, exec and port forwarding, and kubectl tunnels it through WebSockets
//! for port forwarding. `frame` and `headers` are the pure codec, `window` counts credit, and `session` moves bytes;
//! what the streams mean is the business of the kubelet endpoints.
//!
//! Source: the SPDY/3.1 draft. Peers in the field use a library that never grants credit and reads none, so credit is
//! honoured towards a peer that has shown that it knows of it; towards others the connection itself holds back.

pub(crate) mod frame;
pub(crate) mod headers;
pub(crate) mod session;
mod window;

pub(crate) use self::session::{Reader, Session, Stream, StreamError, Writer};
