//! The real server, asked over UDP and TCP; every answer is decoded by another library than the one that encodes it.

mod client;
mod cluster;
mod hostile;
mod vectors;
mod world;
