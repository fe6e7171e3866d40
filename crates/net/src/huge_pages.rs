//! Huge pages, of which Linux makes memory that a program touched once.
//!
//! The allocator asks for them, and has a page of its own for each size of block and each thread: with huge pages, 2 MiB are
//! resident where some KiB are in use.

/// Turns huge pages off for this process and those that it starts. Where that is not possible, they stay on.
pub fn disable() {
    set(true);
}

/// Turns huge pages on again, for a program that takes the place of this one.
pub fn enable() {
    set(false);
}

fn set(disabled: bool) {
    // Called before anything logs, and without them a process only takes more memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(disabled);
    #[cfg(not(target_os = "linux"))]
    let _ = disabled;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn is_disabled() -> bool {
        rustix::thread::transparent_huge_pages_are_disabled().expect("Linux tells it")
    }

    #[test]
    fn huge_pages_are_off_until_they_are_enabled_again() {
        disable();
        assert!(is_disabled());
        enable();
        assert!(!is_disabled());
    }
}
