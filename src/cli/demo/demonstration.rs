//! The parts of a demonstration, from start to end: pools, router, load, and what is seen of them.

use std::future;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::client::{ClientError, Connection};
use super::embedder::Embedder;
use super::error::DemoError;
use super::events::Events;
use super::flows::flows;
use super::hints::hints;
use super::load::{Load, PATH, Question};
use super::observation::Observation;
use super::plan::{Machine, Plan};
use super::pools::{Pace, Pools, Site, sites};
use super::router::Router;
use super::screen::{Frame, Screen};
use super::sentences::SENTENCES;
use super::summary::Summary;
use super::table::Table;
use crate::app::Configuration;
use crate::config::Checked;
use crate::snapshot;

/// The span of the table's rates and quantiles: long enough for a p99, short enough to follow the load.
const SPAN: usize = 5;
/// The share of the local model's speed at rest that is left to it while requests are forwarded on the same cores.
const LOCAL_SHARE: f64 = 0.9;
/// The share of the cores' time that forwarding may take.
const FORWARDING_SHARE: f64 = 0.5;
/// What one request costs, in exchanges of a small answer over a loopback connection: load, router and pool together took
/// 230 us of processor time for a request where such an exchange took 24 us. Most of it is the vector, which is written and
/// read as text.
const EXCHANGES_A_REQUEST: f64 = 10.0;
/// Exchanges that are timed; a tenth of a second or less.
const TRIALS: u32 = 500;

/// A running demonstration. The pools are last, so that they end after what needs them.
pub(super) struct Demonstration {
    description: Vec<String>,
    events: Events,
    seen: Vec<(Instant, Observation)>,
    first: Observation,
    plan: Plan,
    load: Load,
    router: Router,
    pools: Pools,
}

impl Demonstration {
    /// Starts the pools, measures the machine, and starts the router and the load.
    ///
    /// # Errors
    /// [`DemoError`], with its cure.
    pub(super) async fn start(configuration: Configuration, path: PathBuf) -> Result<Self, DemoError> {
        let checked = configuration.checked().clone();
        let model = checked.local_model.as_ref().ok_or(DemoError::NoLocalModel(path))?;
        let sites = sites(&checked)?;
        let embedder = Arc::new(Embedder::start(model)?);
        let pace = Arc::new(Pace::default());
        let pools = Pools::start(&sites, &embedder, &pace)?;
        let text_time = embedder.remember(&SENTENCES).await?;
        let machine = measure(&sites, text_time, model.threads.get()).await?;
        let router = Router::start(configuration)?;
        let flows = flows(&snapshot::compile(&checked, &snapshot::Resolved::default(), None), router.traffic);
        let no_route = || DemoError::NoRoute { authority: router.traffic, path: PATH };
        let plan = Plan::new(&flows, machine).ok_or_else(no_route)?;
        pace.set(plan.factor);
        router.ready().await?;
        let first = router.observe().await?;
        let ask = |sentence: &&str| Some(Question::new(sentence, embedder.vector(sentence)?));
        let load = Load::start(router.traffic, plan.curve(), SENTENCES.iter().filter_map(ask).collect())?;
        Ok(Self {
            description: describe(&checked, &sites, &router, (plan, machine, text_time)),
            events: Events::default(),
            seen: vec![(Instant::now(), first.clone())],
            first,
            plan,
            load,
            router,
            pools,
        })
    }

    /// What runs, how it is scaled, and what to try.
    pub(super) fn description(&self) -> &[String] {
        &self.description
    }

    /// Shows a frame a second until `length` is over or the process is told to end.
    ///
    /// # Errors
    /// [`DemoError::RouterEnded`] and [`DemoError::NoAnswer`] where the router fails, [`DemoError::Io`] where the screen does.
    pub(super) async fn watch<W: Write>(
        &mut self,
        length: Option<Duration>,
        screen: &mut Screen<W>,
    ) -> Result<(), DemoError> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let over = async {
            match length {
                Some(length) => sleep(length).await,
                None => future::pending().await,
            }
        };
        tokio::pin!(over);
        // The first tick comes at once, and there is nothing to show yet.
        seconds.tick().await;
        loop {
            tokio::select! {
                biased;
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                () = &mut over => return Ok(()),
                _ = seconds.tick() => {}
            }
            if self.router.has_ended() {
                return Err(DemoError::RouterEnded);
            }
            let now = self.router.observe().await?;
            let frame = self.frame(now);
            screen.show(frame)?;
        }
    }

    /// Ends the load, reads the router's figures a last time, drains it and stops the pools.
    ///
    /// # Errors
    /// [`DemoError::Router`] where the router does not end well.
    pub(super) async fn finish(self) -> Result<Summary, DemoError> {
        let span = self.load.elapsed();
        let totals = self.load.finish();
        // A router that was interrupted with this process may have closed its admin address by now.
        let last = self.router.observe().await.ok().or_else(|| self.seen.last().map(|(_, last)| last.clone()));
        let last = last.unwrap_or_default();
        self.router.drain()?;
        drop(self.pools);
        let table = Table::between(&self.first, &last, span);
        Ok(Summary { span, table, totals, weight_changes: self.events.weight_changes })
    }

    fn frame(&mut self, now: Observation) -> Frame {
        let events = self.seen.last().map(|(_, before)| self.events.between(before, &now)).unwrap_or_default();
        self.seen.push((Instant::now(), now));
        if self.seen.len() > SPAN + 1 {
            self.seen.remove(0);
        }
        let totals = self.load.totals();
        let time = format!("{:>4} s", self.load.elapsed().as_secs());
        let (rate, peak, lost, wrong) = (self.load.rate(), self.plan.peak, totals.lost, totals.wrong);
        let title = format!("{time}  offered {rate:.0}/s, {peak:.0}/s at the peak; lost {lost}, wrong {wrong}");
        let line = |table: &Table| format!("{time}  offered {rate:.0}/s lost {lost} wrong {wrong} | {}", table.line());
        let table = match &self.seen[..] {
            [(then, before), .., (at, now)] => Table::between(before, now, at.duration_since(*then)),
            _ => Table::between(&self.first, &self.first, Duration::ZERO),
        };
        Frame { line: line(&table), table: table.live(), time, title, events }
    }
}

/// What this machine bears: the local model as it was timed, and forwarding by the time of exchanges with a pool.
async fn measure(sites: &[Site], text_time: Duration, threads: u32) -> Result<Machine, DemoError> {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let cores = f64::from(u32::try_from(cores).unwrap_or(u32::MAX));
    let per_thread = 1.0 / text_time.as_secs_f64().max(1e-6);
    let mut forwarded = f64::INFINITY;
    if let Some(site) = sites.first() {
        let time = time_exchanges(site).await.map_err(|why| DemoError::NoAnswer { address: site.address, why })?;
        forwarded = cores * FORWARDING_SHARE / (EXCHANGES_A_REQUEST * time.as_secs_f64().max(1e-6));
    }
    Ok(Machine { local: f64::from(threads).min(cores) * per_thread * LOCAL_SHARE, forwarded })
}

/// The mean time of an exchange on one connection. The first warms it up and is not counted.
async fn time_exchanges(site: &Site) -> Result<Duration, ClientError> {
    let mut connection = Connection::open(site.address).await?;
    connection.get("/health").await?;
    let start = Instant::now();
    for _ in 0..TRIALS {
        connection.get("/health").await?;
    }
    Ok(start.elapsed() / TRIALS)
}

fn describe(
    checked: &Checked,
    sites: &[Site],
    router: &Router,
    (plan, machine, text_time): (Plan, Machine, Duration),
) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.push(format!("router: traffic on http://{}, admin on http://{}", router.traffic, router.admin));
    lines.extend(sites.iter().map(|site| format!("emulated pool: {} on {}, {}", site.tier, site.address, site.pool)));
    lines.push(format!(
        "Rates are scaled by {:.2} to what this machine bears: the load peaks at {:.0} requests/s, and instances compute as much less.",
        plan.factor, plan.peak,
    ));
    lines.push(format!(
        "(Here the local model takes {:.1} ms a text: {:.0} texts/s beside the rest. {:.0} requests/s can be forwarded. Service times \
         and concurrency are not scaled.)",
        text_time.as_secs_f64() * 1000.0,
        machine.local,
        machine.forwarded,
    ));
    lines.push(String::new());
    lines.extend(hints(checked, router.traffic, router.admin));
    lines.push(String::new());
    lines
}
