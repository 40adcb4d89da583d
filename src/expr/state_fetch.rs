//! The fetches that read the present state of frontends, backends and servers.

use crate::plan::expr::{Argument, StateReading, Type};

use super::facts::Facts;
use super::scratch::Value;

/// The value of a fetch that reads `reading` of what its argument names, or else of what belongs to
/// the exchange; it yields `yields`.
pub(super) fn read<'a>(
    reading: StateReading,
    yields: Type,
    arguments: &[Argument],
    facts: &Facts<'a>,
) -> Value<'a> {
    let found = facts
        .connection
        .state
        .and_then(|state| match (reading, arguments.first()) {
            (StateReading::Backend(reading), Some(Argument::Backend(backend))) => {
                state.of_backend(&backend.name, reading)
            }
            (StateReading::Backend(reading), _) => state.of_backend(facts.backend?, reading),
            (StateReading::Frontend(reading), Some(Argument::Frontend(frontend))) => {
                state.of_frontend(&frontend.name, reading)
            }
            (StateReading::Frontend(reading), _) => {
                state.of_frontend(facts.connection.frontend, reading)
            }
            (StateReading::Server(reading), Some(Argument::Server(server))) => {
                state.of_server(&server.backend.name, &server.name, reading)
            }
            (StateReading::Server(reading), _) => {
                state.of_server(facts.backend?, facts.response?.server?, reading)
            }
        });
    match (found, yields) {
        (None, _) => Value::Absent,
        (Some(number), Type::Bool) => Value::Bool(number != 0),
        (Some(number), _) => Value::Int(number),
    }
}
