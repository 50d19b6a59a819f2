//! Random requests against the queue on a clock of their own, with its promises held against every step.

use std::collections::HashMap;

use tokio::sync::oneshot::Receiver;

use super::*;
use crate::fallback::job::{Computed, Outcome};

const TERMS: Terms = Terms {
    most: Load { texts: 64, tokens: 4000, bytes: 1 << 16 },
    batch: Most { texts: 8, tokens: 256 },
    window: Duration::ZERO,
    longest: 128,
    remembered: 0,
    threads: 1,
};

/// Requests in a queue, on a clock that only batches move: a token takes a millisecond.
struct World {
    terms: Terms,
    state: State,
    now: Instant,
    random: fastrand::Rng,
    open: HashMap<usize, (Receiver<Outcome>, usize, usize)>,
    asked: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { terms: TERMS, state: State::default(), now: Instant::now(), random, open: HashMap::new(), asked: 0 }
    }

    /// Asks for `texts` texts; `batches` is how many were computed until now.
    fn ask(&mut self, texts: usize, deadline: Duration, batches: usize) -> Result<usize, EmbedError> {
        let (job, outcome) = Job::new(texts, self.now, self.now + deadline);
        let texts: Vec<_> = (0..texts).map(|_| Sequence::from("x".repeat(self.random.usize(2..=128)))).collect();
        let count = texts.len();
        let request = Request::new(Arc::new(job), texts, |bytes| bytes.min(TERMS.longest));
        self.state.admit(&request, &self.terms, 0)?;
        self.state.requests.push(request);
        self.asked += 1;
        self.open.insert(self.asked, (outcome, count, batches));
        Ok(self.asked)
    }

    /// Has one thing done, as a thread would; the texts of the batch, if it was one.
    fn work(&mut self) -> Option<usize> {
        self.state.drop_unwanted(self.now);
        match self.state.take(&self.terms, self.now) {
            Some(Work::Tokenise(texts)) => {
                assert!(texts.len() <= TOKENISED_AT_ONCE);
                for Waiting { job, index, content } in texts {
                    let request = self.state.requests.iter_mut().find(|request| Arc::ptr_eq(&request.job, &job));
                    let tokens = Tokens(vec![0; content.bytes()]);
                    request.expect("nothing else drops a request").tokenised(index, tokens);
                }
                Some(0)
            }
            Some(Work::Compute(batch)) => {
                self.compute(&batch);
                Some(batch.len())
            }
            Some(Work::Aside(_)) => panic!("nobody asked for it"),
            None => None,
        }
    }

    fn compute(&mut self, batch: &[Waiting<Tokens>]) {
        let lengths: Vec<usize> = batch.iter().map(|waiting| waiting.content.0.len()).collect();
        let (tokens, longest) = (lengths.iter().sum::<usize>(), lengths.iter().max().copied().unwrap_or(0));
        assert!(batch.len() <= TERMS.batch.texts && longest * batch.len() <= TERMS.batch.tokens);
        let took = Duration::from_millis(u64::try_from(tokens).expect("a small number"));
        let (started, ended) = (self.now, self.now + took);
        self.now = ended;
        self.state.computing -= tokens;
        self.state.pace.ran(tokens, took);
        for Waiting { job, index, content } in batch {
            let vector = vec![f32::from(u16::try_from(*index).expect("a small number"))];
            job.complete(*index, Computed { vector, tokens: content.0.len(), started, ended });
        }
    }

    /// The requests that were answered since the last look.
    fn answered(&mut self) -> Vec<(Outcome, usize, usize)> {
        let done = self.open.extract_if(|_, (outcome, ..)| !outcome.is_empty());
        done.map(|(_, (mut outcome, texts, asked_at))| (outcome.try_recv().expect("it is there"), texts, asked_at))
            .collect()
    }
}

#[test]
fn every_request_is_answered_once_with_all_its_texts_and_the_queue_ends_empty() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        let mut answers = 0;
        for _ in 0..60 {
            for _ in 0..world.random.usize(0..4) {
                let texts = [1, 1, 1, 2, 20, 200][world.random.usize(0..6)];
                let _refused = world.ask(texts, Duration::from_hours(1), 0);
            }
            world.work();
            for (outcome, texts, _) in world.answered() {
                let vectors = outcome.expect("nothing expires").vectors;
                let in_order = (0_u16..).map(|index| vec![f32::from(index)]);
                assert!(vectors.len() == texts && vectors.into_iter().zip(in_order).all(|(is, due)| is == due));
                answers += 1;
            }
        }
        while world.work().is_some() {}
        answers += world.answered().len();
        assert_eq!((answers, world.open.len()), (world.asked, 0), "seed {seed}");
        assert!(world.state.requests.is_empty() && world.state.computing == 0, "seed {seed}");
    }
}

#[test]
fn a_request_of_one_text_waits_for_two_batches_of_one_of_a_thousand() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        world.ask(1000, Duration::from_hours(1), 0).expect("the queue is empty");
        let mut batches = 0;
        while let Some(texts) = world.work() {
            batches += usize::from(texts > 0);
            if texts > 0 && batches % 5 == 0 {
                world.ask(1, Duration::from_hours(1), batches).expect("one of a thousand leaves room");
            }
            for (outcome, texts, asked_at) in world.answered() {
                outcome.expect("nothing expires");
                assert!(texts > 1 || batches - asked_at <= 2, "seed {seed}: {asked_at} was answered after {batches}");
            }
        }
        assert!(batches > 100 && world.open.is_empty());
    }
}

#[test]
fn a_request_of_a_thousand_gets_its_turns_beside_a_stream_of_ones() {
    let mut world = World::new(1);
    world.ask(100, Duration::from_hours(1), 0).expect("the queue is empty");
    let (mut batches, mut answered) = (0, None);
    while answered.is_none() && batches < 10_000 {
        for _ in 0..3 {
            let _refused = world.ask(1, Duration::from_hours(1), batches);
        }
        batches += usize::from(world.work().is_some_and(|texts| texts > 0));
        answered = world.answered().into_iter().find(|(_, texts, _)| *texts == 100);
    }
    assert!(answered.is_some(), "it starved for {batches} batches");
}

/// Of how many that were admitted the answer came too late, under more load than can be borne.
fn late(seed: u64, terms: Terms) -> (usize, usize) {
    let mut world = World::new(seed);
    world.terms = terms;
    world.state.pace.ran(1000, Duration::from_secs(1));
    let (mut admitted, mut late) = (0, 0);
    for _ in 0..200 {
        let texts = [1, 1, 4, 30][world.random.usize(0..4)];
        let deadline = Duration::from_millis(world.random.u64(500..4000));
        match world.ask(texts, deadline, 0) {
            Ok(_) => admitted += 1,
            Err(EmbedError::TooLate { needed }) => assert!(needed > deadline),
            Err(_) => {}
        }
        world.work();
        late += world.answered().iter().filter(|(outcome, ..)| outcome.is_err()).count();
    }
    (late, admitted)
}

#[test]
fn most_of_what_is_admitted_is_in_time_and_fewer_without_the_forecast() {
    let of_all = |terms: Terms| {
        let each = (0..40).map(|seed| late(seed, terms));
        each.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    };
    // A request that comes later has its turns too, so that a forecast is no promise.
    let (with, admitted) = of_all(TERMS);
    assert!(with * 4 <= admitted, "{with} of {admitted} came too late");
    // So many threads would be in time for anything.
    let (without, admitted) = of_all(Terms { threads: 1 << 20, ..TERMS });
    assert!(without * 3 >= admitted, "{without} of {admitted} came too late without a forecast");
}

#[test]
fn what_its_client_gave_up_makes_room_at_once() {
    let mut world = World::new(3);
    let first = world.ask(64, Duration::from_mins(1), 0).expect("the queue is empty");
    world.ask(64, Duration::from_mins(1), 0).expect("half is left");
    assert_eq!(world.ask(64, Duration::from_mins(1), 0), Err(EmbedError::QueueFull));
    world.open.remove(&first);
    world.state.drop_unwanted(world.now);
    assert!(world.ask(64, Duration::from_mins(1), 0).is_ok());
    assert!(world.ask(1, Duration::from_mins(1), 0).is_ok(), "large ones leave room for small ones");
}

#[test]
fn only_what_came_behind_others_waits_for_company_and_no_longer_than_the_window() {
    let terms = Terms { window: Duration::from_millis(30), ..TERMS };
    let mut world = World::new(4);
    world.ask(1, Duration::from_mins(1), 0).expect("the queue is empty");
    world.work();
    let Due::At(moment) = world.state.due(&terms, world.now) else { panic!("it waits for company") };
    assert_eq!(moment, world.now + terms.window);
    assert!(world.state.take(&terms, world.now).is_none() && matches!(world.state.due(&terms, moment), Due::Now));
    assert!(matches!(world.state.take(&terms, moment), Some(Work::Compute(_))));

    world.ask(1, Duration::from_mins(1), 0).expect("there is room");
    world.work();
    world.state.requests[0].is_alone = true;
    assert!(matches!(world.state.due(&terms, world.now), Due::Now));
    assert!(matches!(world.state.take(&terms, world.now), Some(Work::Compute(_))));
}
