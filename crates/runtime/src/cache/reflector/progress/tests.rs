use portolan_object::Status;
use portolan_object::status::{Cause, Details};

use super::*;

const NO_PAUSE: Pause = Pause::None;

fn pause(failures: u32) -> Pause {
    Pause::Backoff { failures, at_least: Duration::ZERO }
}

fn pause_of(failures: u32, seconds: u64) -> Pause {
    Pause::Backoff { failures, at_least: Duration::from_secs(seconds) }
}

fn streaming() -> Progress {
    Progress::new(false)
}

fn listing(pages: Pages) -> Progress {
    Progress { next: Request::List(pages), ..streaming() }
}

fn watching() -> Progress {
    let mut progress = streaming();
    progress.listed("5");
    progress
}

fn watch() -> Request {
    Request::Watch("5".to_owned())
}

fn asked_to_wait(failure: Failure, seconds: u64) -> End {
    End::Failed { failure, retry_after: Some(Duration::from_secs(seconds)) }
}

#[test]
fn one_end_decides_the_next_request() {
    let many = || Request::List(Pages::Many);
    let cases = [
        // A streaming list falls back to a list, whatever went wrong; only 429 waits.
        ("streaming list is refused", streaming(), Failure::Refused.into(), many(), NO_PAUSE),
        ("streaming list answers ERROR", streaming(), Failure::Other.into(), many(), NO_PAUSE),
        ("streaming list expires", streaming(), Failure::Expired.into(), many(), NO_PAUSE),
        ("streaming list is too new", streaming(), Failure::VersionTooLarge.into(), many(), NO_PAUSE),
        ("streaming list breaks", streaming(), Failure::Unreachable.into(), many(), NO_PAUSE),
        ("streaming list is incomplete", streaming(), Failure::Incomplete.into(), many(), NO_PAUSE),
        ("streaming list closes", streaming(), End::ShortWatch, many(), NO_PAUSE),
        (
            "streaming list is too much",
            streaming(),
            asked_to_wait(Failure::TooManyRequests, 7),
            Request::StreamingList,
            pause_of(1, 7),
        ),
        // A list.
        (
            "a page expired",
            listing(Pages::Many),
            Failure::Expired.into(),
            Request::List(Pages::One),
            NO_PAUSE,
        ),
        (
            "the whole list expired",
            listing(Pages::One),
            Failure::Expired.into(),
            Request::StreamingList,
            pause(1),
        ),
        (
            "list is unreachable",
            listing(Pages::Many),
            Failure::Unreachable.into(),
            Request::StreamingList,
            pause(1),
        ),
        (
            "list is too much",
            listing(Pages::Many),
            asked_to_wait(Failure::TooManyRequests, 7),
            many(),
            pause_of(1, 7),
        ),
        (
            "list is unavailable for a while",
            listing(Pages::Many),
            asked_to_wait(Failure::Other, 3),
            Request::StreamingList,
            pause_of(1, 3),
        ),
        // A watch.
        ("watch ends at once", watching(), End::ShortWatch, watch(), pause(1)),
        ("watch expired", watching(), Failure::Expired.into(), Request::StreamingList, pause(1)),
        ("watch is too new", watching(), Failure::VersionTooLarge.into(), Request::StreamingList, pause(1)),
        (
            "watch of a restored server",
            watching(),
            Failure::WentBack.into(),
            Request::StreamingList,
            pause(1),
        ),
        ("watch breaks", watching(), Failure::Unreachable.into(), watch(), pause(1)),
        ("watch answers ERROR", watching(), Failure::Other.into(), watch(), pause(1)),
        ("watch is refused", watching(), Failure::Refused.into(), watch(), pause(1)),
        (
            "watch is too much",
            watching(),
            asked_to_wait(Failure::TooManyRequests, 7),
            watch(),
            pause_of(1, 7),
        ),
    ];
    for (name, mut progress, end, request, pause) in cases {
        assert_eq!(progress.ended(end), pause, "{name}");
        assert_eq!(*progress.request(), request, "{name}");
    }
}

#[test]
fn watches_that_fail_in_a_row_lead_to_a_list() {
    let again = |progress: &Progress| matches!(progress.request(), Request::Watch(_));
    let cases: [(&str, End, bool); 5] = [
        ("closed at once", End::ShortWatch, true),
        ("ERROR", Failure::Other.into(), true),
        ("refused", Failure::Refused.into(), true),
        ("too many requests", Failure::TooManyRequests.into(), false),
        ("unreachable", Failure::Unreachable.into(), false),
    ];
    for (name, end, lists) in cases {
        let mut progress = watching();
        for failures in 1..=MAX_WATCH_RETRIES {
            assert_eq!(progress.ended(end), pause(failures), "{name}");
            assert!(again(&progress), "{name}");
        }
        assert_eq!(progress.ended(end), pause(MAX_WATCH_RETRIES + 1), "{name}");
        assert_eq!(again(&progress), !lists, "{name}");
    }
}

#[test]
fn an_event_forgets_failures() {
    let mut progress = watching();
    progress.ended(Failure::Other.into());
    progress.ended(Failure::Other.into());
    progress.observed("6".to_owned());
    assert_eq!(progress.ended(Failure::Other.into()), pause(1));
    assert_eq!(*progress.request(), Request::Watch("6".to_owned()));
}

#[test]
fn a_list_alone_does_not_forget_failures() {
    // Otherwise a server whose watches always expire is listed in a tight loop.
    let mut progress = watching();
    for failures in 1..5 {
        assert_eq!(progress.ended(Failure::Expired.into()), pause(failures));
        progress.listed("5");
    }
    progress.is_open();
    progress.settled();
    assert_eq!(progress.ended(Failure::Expired.into()), pause(1));
}

#[test]
fn events_alone_do_not_shorten_the_pauses_between_lists() {
    let mut progress = watching();
    for lists in 1..5 {
        assert_eq!(progress.ended(Failure::Expired.into()), pause(lists));
        progress.listed("5");
        progress.observed("6".to_owned());
    }
    progress.settled();
    assert_eq!(progress.ended(Failure::Expired.into()), pause(1), "the last watch has lasted");
}

#[test]
fn short_watches_in_a_row_lead_to_pauses() {
    let mut progress = watching();
    for (was_short, want) in
        [(true, NO_PAUSE), (true, pause(1)), (true, pause(2)), (false, NO_PAUSE), (true, NO_PAUSE)]
    {
        // Events do not matter: each of these watches sent some.
        progress.observed("6".to_owned());
        assert_eq!(progress.finished(was_short), want);
        assert_eq!(*progress.request(), Request::Watch("6".to_owned()));
    }
}

#[test]
fn versions_that_go_back() {
    let long = "184467440737095516150";
    let cases = [
        ("5", "4", true),
        ("5", "5", false),
        ("5", "6", false),
        ("1000000", "3400", true),
        ("3400", "1000000", false),
        (long, "99", true),
        ("99", long, false),
        (long, "184467440737095516149", true),
        ("", "4", false),
        ("5", "", false),
        ("0", "0", false),
        ("5", "0", false),
        ("a5", "a4", false),
        ("5", "04", false),
    ];
    for (seen, present, want) in cases {
        assert_eq!(went_back(seen, present), want, "from {seen:?} to {present:?}");
    }
}

#[test]
fn a_watch_that_is_too_old_is_listed_again() {
    let mut progress = watching();
    assert_eq!(progress.version(), "5");
    progress.forget_version();
    assert_eq!((progress.request(), progress.version()), (&Request::StreamingList, ""));
    // A list that waits for its turn stays: to begin with the streaming list again would be a loop without a pause.
    let mut progress = listing(Pages::Many);
    progress.forget_version();
    assert_eq!(*progress.request(), Request::List(Pages::Many));
}

#[test]
fn versions_of_events_and_bookmarks_move_the_watch() {
    let mut progress = watching();
    // Each row: the version of an event, and where the next watch starts. Lower versions come from a restored etcd.
    for (version, next) in [("6", "6"), ("", "6"), ("9", "9"), ("2", "2")] {
        progress.observed(version.to_owned());
        assert_eq!(*progress.request(), Request::Watch(next.to_owned()), "version {version:?}");
    }
}

#[test]
fn a_server_without_streaming_lists_is_not_asked_again() {
    let cases = [
        (Failure::Refused, true),
        (Failure::Incomplete, true),
        (Failure::Other, false),
        (Failure::Unreachable, false),
        (Failure::Expired, false),
    ];
    for (failure, remembered) in cases {
        let mut progress = streaming();
        progress.ended(failure.into());
        assert_eq!(progress.must_list(), remembered, "{failure:?}");
        progress.listed("5");
        progress.ended(Failure::Expired.into());
        assert_eq!(*progress.request() == Request::List(Pages::Many), remembered, "{failure:?}");
    }
    let mut progress = streaming();
    progress.set_must_list();
    assert_eq!(*progress.request(), Request::List(Pages::Many));
    let mut progress = watching();
    progress.set_must_list();
    assert_eq!(*progress.request(), watch());
}

#[test]
fn answers_sort_by_what_the_reflector_does() {
    let answer = |code: u16, reason: &str, cause: &str| {
        let mut status = Status::new(code, reason, "words");
        if !cause.is_empty() {
            let mut details = Details::default();
            details.causes.push(Cause { reason: cause.to_owned(), ..Default::default() });
            status.details = Some(Box::new(details));
        }
        let code = http::StatusCode::from_u16(code).expect("a valid code");
        let body = status.to_value().to_string();
        Failure::from(&ClientError::from_answer(code, None, body.as_bytes()))
    };
    let cases = [
        (answer(410, "Expired", ""), Failure::Expired),
        (answer(410, "Gone", ""), Failure::Expired),
        (answer(504, "Timeout", "ResourceVersionTooLarge"), Failure::VersionTooLarge),
        (answer(504, "Timeout", ""), Failure::Other),
        (answer(429, "TooManyRequests", ""), Failure::TooManyRequests),
        (answer(422, "Invalid", ""), Failure::Refused),
        (answer(400, "BadRequest", ""), Failure::Refused),
        (answer(403, "Forbidden", ""), Failure::Other),
        (answer(404, "NotFound", ""), Failure::Other),
        (answer(500, "InternalError", ""), Failure::Other),
    ];
    for (position, (got, want)) in cases.into_iter().enumerate() {
        assert_eq!(got, want, "row {position}");
    }
}
