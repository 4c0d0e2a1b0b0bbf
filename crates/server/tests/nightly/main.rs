//! Statistics that need minutes or a quiet machine.

use grantor_testkit::binary as support;
mod floods;
mod large;
mod timing;
