//! Attacks on the running binary, family by family as the project's list of attacks names them.
//! Each row goes through both uses of an assertion, is held against one oracle for all, and is
//! followed by a valid request that differs in the attacked field only.

use grantor_testkit::binary as support;

mod a_signature;
mod a_symmetric;
mod b_header;
mod c_encoding;
mod d_identity;
mod e_audience;
mod f_time;
mod forge;
mod g_replay;
mod h_credentials;
mod h_request;
mod i_secrets;
mod j_keys;
mod k_lifecycle;
mod l_people;
mod m_admin;
mod m_workloads;
mod oracle;
mod z_log;
