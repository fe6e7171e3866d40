use super::ledger::Amounts;
use super::*;

fn fairness() -> Fairness {
    Fairness::new(Limits {
        per_user: Amounts { requests: 2, watches: 1, bytes: 100 },
        total: Amounts { requests: 3, watches: 2, bytes: 150 },
    })
}

fn code<T>(taken: Result<T, Status>) -> u16 {
    taken.map_or_else(|status| status.code, |_| 200)
}

#[test]
fn a_user_with_too_many_requests_is_refused_and_others_are_not() {
    let fairness = fairness();
    let own: Vec<_> = (0..2).map(|_| fairness.take("eve", Kind::Request).unwrap()).collect();
    let refused = fairness.take("eve", Kind::Request).unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (429, "TooManyRequests"));
    assert_eq!(refused.details.unwrap().retry_after_seconds, Some(1));
    let other = fairness.take("bob", Kind::Request).unwrap();
    assert_eq!(code(fairness.take("ann", Kind::Request)), 429, "of all users");
    assert_eq!(code(fairness.take("ann", Kind::Exempt)), 200);
    drop((own, other));
    assert_eq!(code(fairness.take("eve", Kind::Request)), 200);
    assert!(fairness.shared.ledger.lock().is_empty());
}

#[test]
fn watches_are_counted_apart() {
    let fairness = fairness();
    let _watch = fairness.take("eve", Kind::Watch).unwrap();
    assert_eq!(code(fairness.take("eve", Kind::Watch)), 429);
    assert_eq!(code(fairness.take("eve", Kind::Request)), 200);
}

#[test]
fn bytes_are_given_back_and_one_answer_is_always_possible() {
    let fairness = fairness();
    let mut large = fairness.take("eve", Kind::Exempt).unwrap();
    assert_eq!(code(large.hold(1000)), 200, "the first one, however large");
    let mut second = fairness.take("eve", Kind::Request).unwrap();
    assert_eq!(code(second.hold(1)), 429);
    large.release(950);
    assert_eq!(code(second.hold(50)), 200);
    assert_eq!((large.bytes(), second.bytes()), (50, 50));
    assert_eq!(fairness.shared.held.get(), 100);
    let mut other = fairness.take("bob", Kind::Request).unwrap();
    assert_eq!(code(other.hold(50)), 200);
    assert_eq!(code(other.hold(1)), 429, "of all users");
    drop((large, second, other));
    assert!(fairness.shared.ledger.lock().is_empty());
    assert_eq!(fairness.shared.held.get(), 0);
}
