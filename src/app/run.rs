//! Running what was built: the threads, the control loop and the drain.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::traffic::{self, Listening, Socket, Traffic};
use super::{Bound, Configuration, Shutdown, StartError};
use super::{memory, names, records, scaling};
use crate::admin::{self, Admin, Readiness, Sources};
use crate::config::{ModelReadiness, Problem, Startup};
use crate::control::{self, FirstChecks, ModelKeeper, Reconciler, Reload, Start, Trigger, Upkeep, Waiter};
use crate::live::{Local, Publisher};
use crate::proxy::{Drain, Retained, Shared};
use crate::scaling::Board;
use crate::telemetry::{self, Metrics};

/// How long the end waits for traffic threads to record the requests that it cuts off.
const CUTTING: Duration = Duration::from_secs(1);

/// Serves until told to drain, and drains.
pub(super) async fn serve(bound: Bound) -> Result<(), StartError> {
    let Bound {
        configuration,
        traffic,
        admin: admin_listener,
        admin_address,
        ways,
        mut certificates,
        local,
        metrics,
        shutdown,
    } = bound;
    let Configuration { checked, problems, source, overrides } = configuration;
    let startup = checked.startup.clone();
    let (records, ends) = records::open(&startup, &metrics, &mut certificates)?;
    let clients = certificates.follow(&checked, SystemTime::now());
    let found: Vec<Problem> = problems.iter().cloned().chain(certificates.problems()).collect();
    control::log_problems(&found);
    let publisher = Arc::new(Publisher::new(checked, clients));
    note_published(&metrics, &publisher, &found);
    let board = scaling::follow(Arc::clone(&publisher), &startup, ways, &metrics.limits())?;
    let admin = Admin::new(sources((&publisher, &metrics), &local, board), found);
    let keeper = ModelKeeper::start(Arc::clone(&publisher), local.clone(), memory::give_back)?;
    let ask = shutdown.clone();
    tokio::spawn(admin::serve(admin_listener, Arc::clone(&admin), move || ask.drain())?);
    let waiter = names::follow(startup.dns.clone(), Arc::clone(&publisher), Arc::clone(&metrics), Arc::clone(&admin));
    let first_checks = look_after(&publisher, &metrics);
    // Taken with or without documents: the system would end a process that leaves this signal alone.
    let hangup = signal(SignalKind::hangup())?;
    if let Some((folder, files)) = source {
        let start = Start { files, problems, certificates };
        let reconciler = Reconciler::new(folder, overrides, Arc::clone(&publisher), start);
        tokio::spawn(keep_reconciled(
            reconciler,
            hangup,
            Arc::clone(&publisher),
            (Arc::clone(&metrics), Arc::clone(&admin), waiter.clone()),
        ));
    }
    tokio::spawn(shutdown.clone().obey_signals()?);

    let own = traffic.iter().map(|listening| listening.address).chain([admin_address]).collect();
    let shared = Shared {
        local: local.clone(),
        originals: names::originals(&startup.dns, &metrics, own),
        retained: Retained::default(),
    };
    let (drain, drained) = watch::channel(Drain::Serving);
    let (alive, mut all_ended) = mpsc::channel::<()>(1);
    let mesh = announce(&traffic, &startup);
    for (number, sockets) in traffic::by_worker(traffic).into_iter().enumerate() {
        let recorder = records.recorder(&metrics);
        let traffic = Traffic::new(&startup, publisher.reader(), recorder, shared.clone());
        start_thread(number, (traffic, sockets), drained.clone(), alive.clone())?;
    }
    drop((drained, alive, records));
    memory::give_back();
    tracing::info!(traffic = mesh.map(tracing::field::display), admin = %admin_address, "listening");
    tokio::select! {
        () = prepared(waiter, first_checks, &startup, (&publisher, &local)) => admin.set_ready(Readiness::Ready),
        () = shutdown.asked(1) => {}
    }
    shutdown.asked(1).await;
    admin.set_ready(Readiness::Unready);
    let over = all_ended.recv();
    end(&shutdown, &drain, &startup, over).await;
    keeper.stop();
    ends.finish(shutdown.asked(2)).await;
    Ok(())
}

/// Starts a traffic thread, which holds `alive` for as long as it runs.
fn start_thread(
    number: usize,
    (traffic, sockets): (Traffic, Vec<Socket>),
    drained: watch::Receiver<Drain>,
    alive: mpsc::Sender<()>,
) -> io::Result<()> {
    let run = move || {
        if let Err(error) = traffic.run(sockets, drained) {
            tracing::error!(%error, "a traffic thread cannot run");
        }
        drop(alive);
    };
    thread::Builder::new().name(format!("traffic-{number}")).spawn(run).map(drop)
}

/// Logs where a gateway's ports are bound; says where the mesh's is.
fn announce(traffic: &[Listening], startup: &Startup) -> Option<SocketAddr> {
    for listening in traffic.iter().skip(usize::from(startup.listen.is_some())) {
        tracing::info!(port = listening.port, address = %listening.address, "listening as a gateway");
    }
    traffic.first().filter(|_| startup.listen.is_some()).map(|listening| listening.address)
}

/// Waits until names have addresses and endpoints were checked, as far as that comes soon, and until the local model has been
/// loaded or refused, where readiness waits for it.
async fn prepared(
    waiter: Waiter,
    first_checks: FirstChecks,
    startup: &Startup,
    (publisher, local): (&Publisher, &Local),
) {
    let readiness = publisher.current().checked.local_model.as_ref().map(|model| model.readiness);
    names::first_answers(waiter, &startup.dns, publisher).await;
    first_checks.wait(publisher).await;
    if readiness == Some(ModelReadiness::Wait) {
        local.settled().await;
    }
}

/// Looks after endpoints on this runtime, for as long as it runs.
fn look_after(publisher: &Arc<Publisher>, metrics: &Arc<Metrics>) -> FirstChecks {
    let (upkeep, first_checks) = Upkeep::new(Arc::clone(publisher), Arc::clone(metrics));
    tokio::task::spawn_local(upkeep.follow());
    first_checks
}

/// Drains: unready first, clients are asked to go elsewhere; then no new connections, then whatever is in flight.
async fn end(shutdown: &Shutdown, drain: &watch::Sender<Drain>, startup: &Startup, over: impl Future) {
    tracing::info!("draining");
    drain.send_replace(Drain::Retiring);
    tokio::select! {
        () = sleep(startup.drain_delay) => {}
        () = shutdown.asked(2) => {}
    }
    drain.send_replace(Drain::Until(Instant::now() + startup.drain_timeout));
    let mut over = pin!(over);
    tokio::select! {
        _ = &mut over => return tracing::info!("drained"),
        () = shutdown.asked(2) => tracing::warn!("asked a second time; requests in flight are given up"),
    }
    drain.send_replace(Drain::Until(Instant::now()));
    timeout(CUTTING, over).await.ok();
}

/// Where the admin API finds what it tells of.
fn sources((publisher, metrics): (&Arc<Publisher>, &Arc<Metrics>), local: &Local, board: Board) -> Sources {
    Sources { publisher: Arc::clone(publisher), metrics: Arc::clone(metrics), local: local.clone(), board }
}

fn note_published(metrics: &Metrics, publisher: &Publisher, problems: &[Problem]) {
    metrics.published(&publisher.current().snapshot);
    metrics.reloaded(telemetry::Reload::Published, problems, SystemTime::now());
}

/// Reloads on SIGHUP, on changes of the documents and now and then; tells the metrics and the admin API of it.
fn keep_reconciled(
    reconciler: Reconciler,
    mut hangup: Signal,
    publisher: Arc<Publisher>,
    (metrics, admin, waiter): (Arc<Metrics>, Arc<Admin>, Waiter),
) -> impl Future<Output = ()> + Send {
    let (trigger, triggered) = Trigger::new();
    let on_hangup = trigger.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            on_hangup.reload();
        }
    });
    let report = move |reload: &Reload| match reload {
        Reload::Unchanged => metrics.reloaded(telemetry::Reload::Unchanged, &[], SystemTime::now()),
        Reload::Published(problems) => {
            note_published(&metrics, &publisher, problems);
            admin.published(problems.clone());
            memory::give_back();
        }
        Reload::Faulty(problems) => {
            metrics.reloaded(telemetry::Reload::Rejected, problems, SystemTime::now());
            admin.refused(problems.clone());
            memory::give_back();
        }
    };
    control::watch(reconciler, (trigger, triggered), waiter, report)
}
