use super::*;
use crate::control::names::lookup::Answer;
use crate::domain::Reason;
use crate::live::Destinations;

fn host(text: &str) -> Host {
    Host::parse(text).expect("a host")
}

fn names() -> (Destinations, RequestedNames) {
    let (destinations, asked) = Destinations::new();
    let long = Duration::from_secs(1);
    (destinations, RequestedNames::new(Dns { servers: Vec::new(), timeout: long, start_timeout: long }, asked))
}

/// Follows `name`, whose answer is over by now.
fn known(names: &mut RequestedNames, name: &Host) {
    let long_ago = Instant::now().checked_sub(Duration::from_secs(2)).expect("a machine that is up for a while");
    names.table.add(name, Use::Newest, long_ago);
    assert_eq!(names.table.take_due(long_ago).as_ref(), Some(name));
    let answer = Answer { addresses: vec![[10, 0, 0, 1].into()], ttl: Duration::from_secs(1) };
    names.table.note(name, Ok(answer), long_ago, 0.0);
    names.publish(name);
}

#[tokio::test]
async fn a_host_that_nobody_asks_for_is_forgotten() {
    let (destinations, mut names) = names();
    let name = host("a.example");
    known(&mut names, &name);
    assert_eq!(destinations.find("a.example").await, Ok([10, 0, 0, 1].into()));
    names.look_up_due();
    assert_eq!((names.table.len(), names.lookups.len()), (1, 1), "it was asked for, and is looked up again");

    names.lookups.abort_all();
    let (destinations, mut names) = self::names();
    known(&mut names, &name);
    assert!(names.asked.known()["a.example"].was_asked_for(), "by the request that made it known");
    names.look_up_due();
    assert_eq!((names.table.len(), names.lookups.len()), (0, 0));
    assert!(names.asked.known().is_empty());
    drop(destinations);
}

#[tokio::test]
async fn no_more_hosts_are_known_than_the_limit() {
    let (destinations, mut names) = names();
    for number in 0..MAX_HOSTS {
        names.table.add(&host(&format!("h{number}.example")), Use::Newest, Instant::now());
    }
    let one_more = async {
        let ask = names.asked.next().await.expect("a request asks");
        names.take(ask);
    };
    let (found, ()) = tokio::join!(destinations.find("one.more.example"), one_more);
    assert_eq!(found, Err(Reason::NameNotResolved));
    assert_eq!(names.table.len(), MAX_HOSTS);
}
