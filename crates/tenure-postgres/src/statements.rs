//! What PostgreSQL is asked, in its own words.

use crate::identity::SERVER;

/// The columns of a session in the order in which they are read.
const COLUMNS: &str =
    "s.id, s.class, s.realm, s.owner, s.due, s.seen, s.idle_ms, s.deadline, s.revision, s.body";

/// The barrier of a store that is shut.
pub(crate) const SHUT: u64 = tenure::store::Barrier::SHUT.as_millis();

/// The statements, with the name of the schema in them.
pub(crate) struct Sql {
    pub(crate) view: String,
    pub(crate) view_sessions: String,
    pub(crate) session: String,
    pub(crate) write: String,
    pub(crate) change: String,
    pub(crate) changes: String,
    pub(crate) hold: String,
    pub(crate) touch: String,
    pub(crate) due: String,
    pub(crate) page: String,
    pub(crate) log: String,
    pub(crate) logs: String,
    pub(crate) news: String,
    pub(crate) prune: String,
    pub(crate) prune_receipts: String,
    pub(crate) export_sessions: String,
    pub(crate) export_cells: String,
    pub(crate) fence: String,
    pub(crate) barrier: String,
    pub(crate) phase: String,
    pub(crate) change_phase: String,
}

impl Sql {
    pub(crate) fn of(schema: &str) -> Self {
        let values = |count: u32| (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        Self {
            view: view(schema),
            view_sessions: view_sessions(schema),
            session: format!(
                "SELECT s.seen, s.body, (SELECT barrier FROM {schema}.meta) FROM {schema}.sessions s WHERE s.id = $1"
            ),
            write: format!("SELECT {schema}.write_1({})", values(35)),
            change: format!("SELECT {schema}.change_1(true, {})", values(17)),
            changes: format!("SELECT {schema}.changes_1({})", values(17)),
            hold: format!("SELECT {schema}.hold_1($1, $2, $3)"),
            touch: format!("SELECT {schema}.touch_1($1, $2, $3)"),
            due: format!(
                "SELECT {COLUMNS} FROM {schema}.sessions s WHERE s.due <= $1 ORDER BY s.due LIMIT $2"
            ),
            page: format!(
                "SELECT {COLUMNS} FROM {schema}.sessions s
                 WHERE s.realm = $1 AND s.class < 2 AND s.id > $2 ORDER BY s.id LIMIT $3"
            ),
            log: log(schema),
            logs: logs(schema),
            news: news(schema),
            prune: format!("SELECT {schema}.prune_1($1, $2, $3, $4)"),
            prune_receipts: prune_receipts(schema),
            export_sessions: format!(
                "SELECT {COLUMNS} FROM {schema}.sessions s WHERE s.id > $1 ORDER BY s.id LIMIT $2"
            ),
            export_cells: format!(
                "SELECT c.partition, c.key, c.kind, c.at, c.version, c.body FROM {schema}.cells c
                 WHERE (c.partition, c.kind, c.key) > ($1, $2, $3) AND c.kind = $2
                 ORDER BY c.partition, c.kind, c.key LIMIT $4"
            ),
            fence: format!("SELECT {schema}.fence_1($1, $2, $3, $4)"),
            barrier: format!("SELECT barrier FROM {schema}.meta"),
            phase: format!("SELECT phase FROM {schema}.meta"),
            change_phase: format!(
                "UPDATE {schema}.meta SET phase = $2 WHERE phase IS NOT DISTINCT FROM $1 RETURNING one"
            ),
        }
    }
}

/// The statement for one or several sessions and nothing else.
fn view_sessions(schema: &str) -> String {
    format!(
        "SELECT CASE WHEN s.id IS NULL THEN 0 ELSE 1 END, {COLUMNS},
                greatest({schema}.now_1(), p.latest),
                p.barrier = {SHUT}
         FROM {schema}.partitions p LEFT JOIN {schema}.sessions s ON s.id = ANY ($2) WHERE p.id = $1"
    )
}

/// The statement for all that a step may want.
fn view(schema: &str) -> String {
    format!(
        "SELECT 0, NULL::uuid, NULL::smallint, NULL::bigint, NULL::uuid, NULL::bigint, NULL::bigint,
                NULL::bigint, NULL::bigint, NULL::bigint, NULL::bytea, greatest({schema}.now_1(), p.latest),
                p.barrier = {SHUT}
         FROM {schema}.partitions p WHERE p.id = $1
         UNION ALL SELECT 1, {COLUMNS}, NULL, NULL FROM {schema}.sessions s WHERE s.id = ANY ($2)
         UNION ALL SELECT 2, {COLUMNS}, NULL, NULL FROM {schema}.sessions s WHERE s.owner = $3
         UNION ALL SELECT 3, c.key, c.kind, NULL, NULL, c.at, NULL, NULL, NULL, c.version, c.body, NULL, NULL
         FROM unnest($4::smallint[], $5::uuid[]) AS w (kind, key)
         JOIN {schema}.cells c ON c.partition = $1 AND c.kind = w.kind AND c.key = w.key"
    )
}

/// The statement that reads a part of a log, with how far the log goes.
fn log(schema: &str) -> String {
    format!(
        "SELECT {SERVER}, m.epoch, p.sequence, p.kept_from, e.sequence, e.at, e.body
         FROM {schema}.meta m, {schema}.partitions p LEFT JOIN LATERAL (
             SELECT sequence, at, body FROM {schema}.events
             WHERE partition = p.id AND sequence > coalesce($2::bigint, p.kept_from)
             ORDER BY sequence LIMIT $3) e ON true
         WHERE p.id = $1 ORDER BY e.sequence"
    )
}

/// The statement that reads the ends of all logs, after positions of which -1 stands for none. How
/// much there is in each is known before it is read, so the limit is dealt out first.
fn news(schema: &str) -> String {
    format!(
        "SELECT {SERVER}, m.epoch, {schema}.now_1(), current_setting('synchronous_standby_names') <> '',
                t.id, t.sequence, t.kept_from, t.e_sequence, t.e_at, t.e_body, m.barrier
         FROM {schema}.meta m LEFT JOIN LATERAL (
             SELECT w.id, w.sequence, w.kept_from, e.sequence AS e_sequence, e.at AS e_at, e.body AS e_body
             FROM (
                 SELECT n.*, least(n.there, greatest(0, $2 + n.there
                                   - sum(n.there) OVER (ORDER BY n.turn ROWS UNBOUNDED PRECEDING)))::bigint AS taken
                 FROM (
                     SELECT p.id, p.sequence, p.kept_from, a.after,
                            (p.id + $3::integer) % cardinality($1::bigint[]) AS turn,
                            CASE WHEN a.after BETWEEN p.kept_from AND p.sequence
                                 THEN p.sequence - a.after ELSE 0 END AS there
                     FROM {schema}.partitions p, LATERAL (SELECT ($1::bigint[])[p.id + 1]) a (after)
                     WHERE p.sequence <> a.after) n) w
             LEFT JOIN LATERAL (
                 SELECT sequence, at, body FROM {schema}.events
                 WHERE partition = w.id AND sequence > w.after AND w.taken > 0
                 ORDER BY sequence LIMIT w.taken) e ON true) t ON true
         ORDER BY t.id, t.e_sequence"
    )
}

/// The statement that says of each log how long it is, and whether its oldest event is too old.
fn logs(schema: &str) -> String {
    format!(
        "SELECT p.id, p.sequence, p.kept_from, coalesce(e.at <= $1, false) FROM {schema}.partitions p
         JOIN {schema}.events e ON e.partition = p.id AND e.sequence = p.kept_from + 1
         WHERE p.sequence > p.kept_from ORDER BY p.id"
    )
}

/// The statement that forgets receipts. Those that somebody writes at this moment are passed over.
fn prune_receipts(schema: &str) -> String {
    format!(
        "WITH gone AS (
             DELETE FROM {schema}.cells c USING (
                 SELECT partition, kind, key FROM {schema}.cells WHERE kind = 1 AND at <= $1
                 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED) old
             WHERE c.partition = old.partition AND c.kind = old.kind AND c.key = old.key
             RETURNING 1)
         SELECT count(*) FROM gone"
    )
}
