//! The shop as browsers meet it: requests in, pages out, with time that the tests advance.

mod browsing;
mod devices;
mod endings;
mod forged;
mod hostile;
mod outage;
mod return_to;
mod secrecy;
mod signing_in;
mod support;
