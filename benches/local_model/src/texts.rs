//! The texts: as many, as long and as different as those of a service whose texts are sentences.

const WORDS: [&str; 24] = [
    "the", "router", "sends", "each", "request", "to", "a", "pool", "that", "has", "room", "for", "it", "and", "when",
    "every", "place", "is", "taken", "answers", "from", "its", "own", "model",
];
/// Words of the shortest text and of the longest.
const LENGTHS: (u64, u64) = (2, 100);

/// `count` texts, the same at every call: from 2 to 100 words, most of them short.
pub fn texts(count: usize) -> Vec<String> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = |_| {
        let (shortest, longest) = LENGTHS;
        // The least of three draws: a third of the longest is rare.
        let words = (0..3).map(|_| draw(longest - shortest)).min().unwrap_or(0) + shortest;
        let words: Vec<&str> = (0..words)
            .map(|_| {
                usize::try_from(draw(WORDS.len() as u64)).ok().and_then(|at| WORDS.get(at)).copied().unwrap_or("a")
            })
            .collect();
        words.join(" ")
    };
    (0..count).map(&mut text).collect()
}

#[cfg(test)]
mod tests {
    use super::texts;

    #[test]
    fn texts_are_the_same_each_time_and_of_many_lengths() {
        let texts_now = texts(256);
        assert_eq!(texts_now, texts(256));
        let lengths: Vec<usize> = texts_now.iter().map(|text| text.split(' ').count()).collect();
        assert!(lengths.iter().all(|words| (2..=100).contains(words)));
        assert!(lengths.iter().min() < Some(&6) && lengths.iter().max() > Some(&60), "{lengths:?}");
    }
}
