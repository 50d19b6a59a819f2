//! The advice as text, with the command that carries it out, or as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::AdviseArgs;
use super::rule::{Advice, Because, History, Step, Target};
use crate::cli::Output;
use crate::domain::format_duration;

/// What was said last of each pool.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeMap<String, (Step, u32)>);

impl Said {
    /// Whether this is news, which it is no longer.
    fn is_news(&mut self, pool: &str, advice: &Advice) -> bool {
        let now = (advice.step, advice.to);
        self.0.insert(pool.to_owned(), now) != Some(now)
    }
}

/// Prints what has changed since it was last said: the first time, all of it.
pub(super) fn print(
    advice: &[(&str, &History, Advice)],
    faults: &[String],
    (args, said): (&AdviseArgs, &mut Said),
    out: &mut impl Write,
) -> io::Result<()> {
    let news: Vec<_> = advice.iter().filter(|(pool, _, advice)| said.is_news(pool, advice)).collect();
    match args.output {
        Output::Json => {
            if !news.is_empty() || !args.watch {
                let pools: Vec<Value> =
                    news.iter().map(|(pool, history, advice)| as_json(pool, history, advice)).collect();
                let report = json!({ "pools": pools, "faults": faults });
                // A line each where there are many.
                if args.watch { writeln!(out, "{report}")? } else { writeln!(out, "{report:#}")? }
            }
        }
        Output::Text => {
            for fault in faults {
                writeln!(out, "not answered: {fault}")?;
            }
            for (pool, history, advice) in news {
                as_text(pool, history, advice, args, out)?;
            }
            if advice.is_empty() {
                writeln!(out, "no pool is known there yet")?;
            }
        }
    }
    Ok(())
}

fn as_text(pool: &str, history: &History, advice: &Advice, args: &AdviseArgs, out: &mut impl Write) -> io::Result<()> {
    let Advice { from, to, .. } = advice;
    let step = match advice.step {
        Step::Up => format!("scale up by half, from {from} to {to}"),
        Step::Down => format!("scale down by 30 %, from {from} to {to}"),
        Step::Undo => format!("undo the last change, from {from} to {to}"),
        Step::Keep => format!("keep {from}"),
    };
    writeln!(out, "{pool}: {step}")?;
    writeln!(out, "  {}", because(history, advice))?;
    if let Some(command) = command(pool, history, advice) {
        writeln!(out, "  {command}")?;
        let (watch, worse) = (minutes(args.watch_for), minutes(args.worse_for));
        writeln!(out, "  then watch it for {watch}, and undo it where latency or errors are worse for {worse}")?;
    }
    Ok(())
}

fn as_json(pool: &str, history: &History, advice: &Advice) -> Value {
    let last = history.readings.last();
    let step = match advice.step {
        Step::Up => "scale_up",
        Step::Down => "scale_down",
        Step::Undo => "undo",
        Step::Keep => "keep",
    };
    json!({
        "pool": pool,
        "advice": step,
        "replicas": advice.from,
        "to": advice.to,
        "because": because(history, advice),
        "command": command(pool, history, advice),
        "objective_seconds": history.objective,
        "p99_seconds": last.and_then(|last| last.p99),
        "used": last.and_then(|last| last.used),
        "error_ratio": last.and_then(|last| last.errors),
    })
}

fn because(history: &History, advice: &Advice) -> String {
    let last = history.readings.last().copied().unwrap_or_default();
    let percent = |share: Option<f64>| share.map_or("unknown".to_owned(), |share| format!("{:.1} %", share * 1e2));
    let p99 = last.p99.map_or("unknown".to_owned(), |p99| format!("{:.0} ms", p99 * 1e3));
    let objective = format!("{:.0} ms", history.objective * 1e3);
    match advice.because {
        Because::Latency(lasted) => {
            format!("p99 has been over the objective of {objective} for {}; it is {p99}", minutes(lasted))
        }
        Because::Busy(lasted) => {
            format!("use has been over 80 % for {}; it is {}", minutes(lasted), percent(last.used))
        }
        Because::Idle(lasted) => format!(
            "use has been under 50 % for {}, and latency and errors are as they should be; it is {}",
            minutes(lasted),
            percent(last.used)
        ),
        Because::WorseLatency(lasted) => {
            format!("latency has been worse than before the change for {}; p99 is {p99}", minutes(lasted))
        }
        Because::WorseErrors(lasted) => format!(
            "errors have been worse than before the change for {}; they are {}",
            minutes(lasted),
            percent(last.errors)
        ),
        Because::AtMaximum => "it should grow, and is at its maximum: raise maxReplicas, or see what spills".to_owned(),
        Because::AtMinimum => "it is idle, and at its minimum".to_owned(),
        Because::Unknown => "there are no readings of it".to_owned(),
        Because::Nothing => {
            let (used, errors) = (percent(last.used), percent(last.errors));
            format!("nothing calls for a change: p99 {p99} of {objective}, use {used}, errors {errors}")
        }
    }
}

/// The command that scales what the routers name, or else the Deployment that has the name of the pool's service. A service of
/// another place than Kubernetes is then named as it is, in the current namespace.
fn command(pool: &str, history: &History, advice: &Advice) -> Option<String> {
    if advice.step == Step::Keep {
        return None;
    }
    let to = advice.to;
    if let Some(target) = &history.target {
        let (resource, Target { namespace, name, .. }) = (resource(target), target);
        return Some(format!("kubectl --namespace {namespace} scale {resource}/{name} --replicas={to}"));
    }
    let host = pool.split([':', '/']).next().unwrap_or(pool);
    let mut labels = host.split('.');
    let name = labels.next().unwrap_or(host);
    let namespace = match (labels.next(), labels.next()) {
        (Some(namespace), Some("svc")) => format!("--namespace {namespace} "),
        _ => String::new(),
    };
    Some(format!("kubectl {namespace}scale deployment/{name} --replicas={to}"))
}

/// The kind as kubectl takes it: `KIND`, or `KIND.VERSION.GROUP` of a group that is none of Kubernetes' own.
fn resource(target: &Target) -> String {
    let kind = target.kind.to_lowercase();
    match target.api_version.split_once('/') {
        Some((group, version)) if group != "apps" => format!("{kind}.{version}.{group}"),
        _ => kind,
    }
}

fn minutes(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    if minutes > 0 { format!("{minutes} min") } else { format_duration(duration) }
}
