//! Tests of the server over UDP and TCP. Answers are decoded by a different library than the one that encodes them.

mod client;
mod cluster;
mod hostile;
mod vectors;
mod world;
