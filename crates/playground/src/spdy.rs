//! Server side of SPDY/3.1, which Kubernetes uses for several streams on one connection.
//!
//! API servers use it towards kubelets for attach, exec and port forwarding; kubectl tunnels it through WebSockets for
//! port forwarding. `frame` and `headers` are the pure codec, `window` counts flow control credit, `session` reads and
//! writes the connection.
//!
//! Source: the SPDY/3.1 draft. moby/spdystream, which Kubernetes uses, neither sends nor obeys WINDOW_UPDATE. So credit
//! limits sending only after the peer has sent a WINDOW_UPDATE or an initial window; otherwise TCP limits it.
//!
//! This room uses no other room; `kubelet` uses it. Frames are added in `frame`, their handling in `session`.

pub(crate) mod frame;
pub(crate) mod headers;
pub(crate) mod session;
mod window;

pub(crate) use self::session::{Reader, Session, Stream, StreamError, Writer};
