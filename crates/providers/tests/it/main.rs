//! Providers against servers that the tests play themselves.

mod cloud_dns;
mod fake_cloud_dns;
