use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use super::super::engine::{EngineError, Tokens};
use super::super::forecast::Pace;
use super::super::worker::BatchObservation;
use super::*;
use crate::config::{ModelKind, Pooling};

/// An engine that says what it is asked to compute, and goes on when it is told to. A text has a token a byte.
struct Scripted {
    asked: Sender<Vec<usize>>,
    go: Receiver<()>,
}

impl Engine for Scripted {
    fn tokenise(&self, text: &Sequence) -> Result<Tokens, EmbedError> {
        match &*text.content {
            "untokenisable" => Err(EmbedError::Failed("no".to_owned())),
            text => Ok(Tokens(vec![0; text.len()])),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "the lengths here are small")]
    fn embed(&mut self, texts: &[&Tokens]) -> Result<Vec<Vec<f32>>, EngineError> {
        let lengths: Vec<usize> = texts.iter().map(|tokens| tokens.0.len()).collect();
        let _unread = self.asked.send(lengths.clone());
        let _ungated = self.go.recv();
        assert!(!lengths.contains(&13), "thirteen tokens are one too many for this engine");
        Ok(lengths.iter().map(|&length| vec![if length == NO_NUMBER { f32::NAN } else { length as f32 }]).collect())
    }
}

/// The tokens of a text that the engine has no number for.
const NO_NUMBER: usize = 19;

struct Stage {
    /// Dropped before the tier, whose end waits for the batch that is computed.
    go: Option<Sender<()>>,
    tier: LocalTier,
    asked: Receiver<Vec<usize>>,
    observed: Arc<Mutex<Vec<BatchObservation>>>,
}

/// A tier of one thread that remembers no texts and has no pace yet; each batch waits for `go`.
fn stage(capacity: usize, max_batch: usize) -> Stage {
    staged(terms(capacity, max_batch))
}

fn terms(capacity: usize, max_batch: usize) -> Terms {
    Terms {
        most: Load { texts: capacity, tokens: 10_000, bytes: 1 << 20 },
        batch: Most { texts: max_batch, tokens: 512 },
        window: Duration::ZERO,
        longest: 512,
        remembered: 0,
        threads: 1,
    }
}

fn staged(terms: Terms) -> Stage {
    staged_beside(terms, &Permits::new(1))
}

/// A tier whose permits are shared.
fn staged_beside(terms: Terms, permits: &Permits) -> Stage {
    let (asked_in, asked) = mpsc::channel();
    let (go, go_out) = mpsc::channel();
    let identity = Identity {
        name: "scripted".to_owned(),
        revision: String::new(),
        dimension: 1,
        pooling: Pooling::Mean,
        normalised: false,
        file: String::new(),
    };
    let observed = Arc::new(Mutex::new(Vec::new()));
    let engines = vec![Scripted { asked: asked_in, go: go_out }];
    let record = Arc::clone(&observed);
    let observe = move |observed: &Observation| {
        if let Observation::Batch(batch) = observed {
            record.lock().unwrap().push(batch.clone());
        }
    };
    let tier = LocalTier::with_engines(
        (engines, &[]),
        Card::of_texts(identity, ModelKind::Encoder, 512),
        (Queue::new(terms, Pace::default()), permits.claim()),
        observe,
    )
    .unwrap();
    Stage { tier, asked, go: Some(go), observed }
}

impl Stage {
    fn ask(&self, lengths: &[usize]) -> impl Future<Output = Result<Embeddings, EmbedError>> + use<> {
        let texts: Vec<String> = lengths.iter().map(|&length| "x".repeat(length)).collect();
        self.tier.embed(texts, Instant::now() + Duration::from_mins(1))
    }

    /// The lengths of the batch that the thread has begun.
    fn begun(&self) -> Vec<usize> {
        self.asked.recv_timeout(Duration::from_secs(20)).expect("a batch")
    }

    fn finish_one(&self) {
        self.go.as_ref().unwrap().send(()).unwrap();
    }

    fn finish_all(&mut self) {
        self.go = None;
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_vector_that_is_no_number_fails_its_own_request_alone() {
    let mut stage = stage(100, 8);
    let (_first, odd, other) = (stage.ask(&[1]), stage.ask(&[NO_NUMBER]), stage.ask(&[20]));
    stage.begun();
    stage.finish_one();
    assert_eq!(stage.begun(), [NO_NUMBER, 20]);
    stage.finish_all();
    assert!(matches!(wait(odd), Err(EmbedError::Failed(why)) if why.contains("NaN")));
    assert_eq!(wait(other).unwrap().vectors, [[20.0]]);
}

#[test]
fn a_request_of_several_batches_is_answered_once_and_in_order() {
    let mut stage = stage(100, 2);
    let answer = stage.ask(&[3, 40, 3, 41, 3]);
    stage.finish_all();
    let answer = wait(answer).unwrap();
    assert_eq!(answer.vectors, [[3.0], [40.0], [3.0], [41.0], [3.0]]);
    assert_eq!(answer.tokens, 90);
    let batches: Vec<_> = stage.asked.try_iter().collect();
    assert_eq!(batches, [vec![3, 3], vec![40, 41], vec![3]]);
    drop(stage.tier);
    let observed = stage.observed.lock().unwrap();
    assert_eq!(
        observed.iter().map(|batch| (batch.waited.len(), batch.tokens)).collect::<Vec<_>>(),
        [(2, 6), (2, 81), (1, 3)]
    );
}

#[test]
fn a_full_queue_refuses_at_once_and_takes_again_when_there_is_room() {
    let mut stage = stage(3, 8);
    let computing = stage.ask(&[5]);
    assert_eq!(stage.begun(), [5]);
    let waiting = [(); 3].map(|()| stage.ask(&[6]));
    assert_eq!(stage.tier.stats(), Stats { waiting: 3 });
    assert_eq!(wait(stage.ask(&[7])), Err(EmbedError::QueueFull));
    assert_eq!(wait(stage.ask(&[7; 4])), Err(EmbedError::QueueFull));
    stage.finish_one();
    assert_eq!(wait(computing).unwrap().vectors, [[5.0]]);
    assert_eq!(stage.begun(), [6, 6, 6]);
    assert_eq!(stage.tier.stats(), Stats { waiting: 0 });
    let larger_than_the_queue = [(); 2].map(|()| stage.ask(&[7; 4]));
    assert_eq!(wait(stage.ask(&[7; 4])), Err(EmbedError::QueueFull));
    let beside_them = stage.ask(&[8]);
    assert_eq!(wait(stage.ask(&[9])), Err(EmbedError::QueueFull));
    stage.finish_all();
    for small in waiting {
        assert_eq!(wait(small).unwrap().vectors, [[6.0]]);
    }
    for large in larger_than_the_queue {
        assert_eq!(wait(large).unwrap().vectors, [[7.0]; 4]);
    }
    assert_eq!(wait(beside_them).unwrap().vectors, [[8.0]]);
}

#[test]
fn what_nobody_waits_for_is_not_computed_and_leaves_the_queue() {
    let mut stage = stage(2, 8);
    let computing = stage.ask(&[5]);
    assert_eq!(stage.begun(), [5]);
    drop(stage.ask(&[6]));
    let expired = stage.tier.embed(vec!["x".repeat(6)], Instant::now());
    let wanted = stage.ask(&[6, 6]);
    assert_eq!(wait(expired), Err(EmbedError::Expired));
    stage.finish_all();
    assert_eq!(wait(wanted).unwrap().vectors, [[6.0], [6.0]]);
    assert!(wait(computing).is_ok());
    assert_eq!(stage.asked.try_iter().collect::<Vec<_>>(), [[6, 6]]);
}

#[test]
fn a_text_that_breaks_the_engine_fails_alone() {
    let mut stage = stage(9, 8);
    stage.finish_all();
    assert!(matches!(wait(stage.ask(&[13])), Err(EmbedError::Failed(_))));
    let untokenisable = stage.tier.embed(vec!["untokenisable".to_owned()], Instant::now() + Duration::from_mins(1));
    assert_eq!(wait(untokenisable), Err(EmbedError::Failed("no".to_owned())));
    assert_eq!(wait(stage.ask(&[1])).unwrap().vectors, [[1.0]]);
    assert_eq!(stage.tier.stats(), Stats { waiting: 0 });
}

#[test]
fn of_a_batch_that_fails_only_the_text_that_breaks_it_does() {
    let mut stage = stage(20, 8);
    let computing = stage.ask(&[5]);
    assert_eq!(stage.begun(), [5]);
    let lengths = [12, 13, 12, 12, NO_NUMBER, 13, 14];
    let asked = lengths.map(|length| stage.ask(&[length]));
    stage.finish_all();
    assert!(wait(computing).is_ok());
    for (answer, length) in asked.into_iter().zip(lengths) {
        let answer = wait(answer);
        match length {
            13 => assert!(matches!(answer, Err(EmbedError::Failed(why)) if why.contains("panicked"))),
            NO_NUMBER => assert!(matches!(answer, Err(EmbedError::Failed(why)) if why.contains("NaN"))),
            _ => assert!(answer.is_ok(), "{length}: {answer:?}"),
        }
    }
    assert_eq!(stage.begun().len(), 6, "all that are of a length are computed together first");
}

#[test]
fn two_models_never_compute_on_more_threads_than_they_share() {
    let permits = Permits::new(1);
    let (one, other) = (staged_beside(terms(9, 1), &permits), staged_beside(terms(9, 1), &permits));
    let first = [one.ask(&[5]), one.ask(&[6])];
    assert_eq!(one.begun(), [5]);
    let second = other.ask(&[7]);
    while one.tier.claim.others() == 0 {
        thread::yield_now();
    }
    assert!(other.asked.try_recv().is_err(), "it is in the line, and the first one computes");
    one.finish_one();
    // A text is tokenised with one permit and computed with the next: either model may be the next to compute.
    let (mut next, mut last, batches) = loop {
        match (one.asked.try_recv(), other.asked.try_recv()) {
            (Err(_), Err(_)) => thread::yield_now(),
            (Ok(batch), Err(_)) => break (one, other, [(batch, 6), (vec![7], 7)]),
            (Err(_), Ok(batch)) => break (other, one, [(batch, 7), (vec![6], 6)]),
            (Ok(_), Ok(_)) => panic!("both compute"),
        }
    };
    assert!(batches.iter().all(|(batch, length)| *batch == [*length]), "{batches:?}");
    assert!(last.asked.try_recv().is_err(), "one computes");
    next.finish_all();
    assert_eq!(last.begun(), batches[1].0);
    last.finish_all();
    assert!(first.into_iter().all(|answer| wait(answer).is_ok()) && wait(second).is_ok());
}

#[test]
fn what_is_done_aside_is_done_on_an_inference_thread_before_what_waits() {
    let mut stage = stage(9, 8);
    let computing = stage.ask(&[5]);
    assert_eq!(stage.begun(), [5]);
    let (waiting, name) = (stage.ask(&[6]), || thread::current().name().map(str::to_owned));
    let (aside, panicking) = (stage.tier.aside(name), stage.tier.aside(|| panic!("on purpose")));
    drop(stage.tier.aside(|| panic!("nobody waits for it")));
    stage.finish_one();
    assert_eq!(wait(aside), Ok(Some("local-model-0".to_owned())));
    assert_eq!(wait(panicking), Err::<(), _>(EmbedError::Stopped));
    stage.finish_all();
    assert!(wait(computing).is_ok() && wait(waiting).is_ok());
    stage.tier.queue.stop();
    assert_eq!(wait(stage.tier.aside(|| ())), Err(EmbedError::Stopped));
}

#[test]
fn dropping_the_tier_answers_what_waits() {
    let stage = stage(9, 8);
    let computing = stage.ask(&[5]);
    assert_eq!(stage.begun(), [5]);
    let waiting = stage.ask(&[6]);
    let Stage { tier, go, .. } = stage;
    let dropping = thread::spawn(move || drop(tier));
    // Answered while the thread still computes, and `dropping` waits for it.
    assert_eq!(wait(waiting), Err(EmbedError::Stopped));
    drop(go);
    assert!(wait(computing).is_ok());
    dropping.join().unwrap();
}
