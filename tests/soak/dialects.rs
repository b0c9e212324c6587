//! What is too much for every test run: a line of 64 MB, and very many events, in each dialect. `EXECENV_SOAK=full` makes
//! them a million.

use libtest_mimic::Trial;

use crate::support::spoken::{Form, SPOKEN, Spoken};
use crate::sweep::{is_full, trial};

/// What a line may be long.
const LONG: usize = 64_000_000;

pub fn trials() -> Vec<Trial> {
    let rows = SPOKEN.iter().filter(|spoken| spoken.form != Form::Text);
    rows.map(|spoken| {
        let name = format!("dialects::{}", spoken.name().trim_end().replace(' ', "_"));
        trial(name, |_| much(spoken))
    })
    .collect()
}

/// The events and the long line are work; the answer after them is the answer.
fn much(spoken: &Spoken) {
    let w = spoken.world();
    let events = if is_full() { 1_000_000 } else { 20_032 };
    let many = format!("repeat {events} {}", spoken.works.replace('…', "x"));
    let long = format!("long-line {LONG} {}", spoken.works);
    let between = vec![many, long];
    let done = spoken.asked(&w, &spoken.turn(&between)).run();
    assert_eq!(done.status, Some(0), "{}\n{done}", spoken.name());
    let result = w.result();
    assert_eq!((&result["status"], &result["text"]), (&"completed".into(), &"hällo".into()));
}
