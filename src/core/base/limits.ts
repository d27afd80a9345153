// Every upper bound of the system that is not a setting, with its reason. `GET /v1/limits` shows them.

const KIB = 1024
const MIB = 1024 * KIB

/** A batch is read, checked and written in one go, so it bounds the longest step of the event loop. */
export const BATCH_BYTES_MAX = 2 * MIB
export const BATCH_RECORDS_MAX = 10_000
/** Tags of a batch fit one mask a record. */
export const BATCH_TAGS_MAX = 64
export const TAG_BYTES_MAX = 128
/** Ceiling of the topic setting `recordBytesMax`: key, value and headers of one record. */
export const RECORD_BYTES_MAX = MIB
export const KEY_BYTES_MAX = 32 * KIB
export const RECORD_HEADERS_MAX = 64
export const RECORD_HEADERS_BYTES_MAX = 8 * KIB
/** Years 0000 to 9999, what RFC 3339 can write; it also keeps any two timestamps' difference exact in a record's varint. */
export const TIMESTAMP_MS_MIN = -62_167_219_200_000
export const TIMESTAMP_MS_MAX = 253_402_300_799_999
/** Inflated size of a batch's records, and how far they may expand: beyond is a bomb. */
export const BATCH_INFLATED_BYTES_MAX = 8 * MIB
export const INFLATE_RATIO_MAX = 100
/** Below this inflated size the ratio may be ten times as high: small repetitive batches are honest. */
export const INFLATE_RATIO_FREE_BYTES = 64 * KIB
export const CONTROL_REQUEST_BYTES_MAX = MIB
/** One line of a streamed upload. */
export const LINE_BYTES_MAX = 2 * MIB
export const JSON_DEPTH_MAX = 256
export const FETCH_BYTES_DEFAULT = MIB
export const FETCH_BYTES_MAX = 8 * MIB
export const FETCH_RECORDS_DEFAULT = 1_000
export const FETCH_RECORDS_MAX = 100_000
export const FETCH_WAIT_MS_MAX = 60_000
/** A fetch that filters looks at no more than this before it answers, maybe empty, with an advanced cursor. */
export const FETCH_SCAN_BYTES_MAX = 16 * MIB
export const FETCH_TOPICS_MAX = 64
export const CURSOR_BYTES_MAX = 8 * KIB
/** Read by one request: their places fit a cursor. */
export const FETCH_PARTITIONS_MAX = 400
/** Either way over a socket: the largest record as JSON fits, and one slow reader holds no more than one. */
export const SOCKET_FRAME_BYTES_MAX = 2 * MIB
export const SOCKET_SUBSCRIPTIONS_MAX = 100
/** Kept for all connections that do not take what they were pushed; beyond, the slowest are closed. */
export const PUSH_BUFFERED_BYTES_MAX = 256 * MIB
/** Bodies of produce requests in memory at once; beyond, no more are read, and those that wait too long are refused. */
export const PRODUCE_BYTES_MAX = 64 * MIB
/** Produced over one socket and not answered yet; beyond, it is not read from. */
export const SOCKET_PRODUCE_BYTES_MAX = 8 * MIB
/** Of what a client names its requests and subscriptions; each frame carries it. */
export const SOCKET_ID_CHARS_MAX = 64
/** Of records or bytes, in one grant and altogether. */
export const CREDIT_MAX = 1_000_000_000
export const IDEMPOTENCY_KEY_CHARS_MAX = 255
/**
 * Batches under an Idempotency-Key that a partition, and a broker, remember: about 60 bytes of memory each. Beyond, the oldest
 * are forgotten before `idempotencyMs`; the broker's bound leaves every partition its latest thousand.
 */
export const IDEMPOTENCY_RANGES_PER_PARTITION_MAX = 1_000_000
export const IDEMPOTENCY_RANGES_MAX = 4_000_000
export const PARTITIONS_PER_TOPIC_MAX = 1_024
export const TOPICS_MAX = 10_000
export const PRODUCERS_PER_PARTITION_MAX = 50_000
/** Batches of a producer kept to answer a duplicate with its first offsets; a client has at most this many in flight. */
export const PRODUCER_BATCHES_KEPT = 5
export const PRODUCER_GAP_WAIT_MS = 500
/** Slots that keys hash to; a power of two, so that growth moves few keys and a table of u16 holds it. */
export const SLOTS = 16_384
export const GROUPS_MAX = 5_000
export const GROUP_MEMBERS_MAX = 1_000
/** Names a member subscribes to. */
export const GROUP_TOPICS_MAX = 64
/** A member that gives no sign of life for its session is removed. Below the least, one slow answer would look like death. */
export const GROUP_SESSION_MS_MIN = 6_000
export const GROUP_SESSION_MS_DEFAULT = 45_000
export const GROUP_SESSION_MS_MAX = 300_000
export const GROUP_HEARTBEAT_MS = 5_000
/** One that is alive but neither polls nor commits for so long, while there is something to commit, is removed. */
export const GROUP_POLL_MS_MIN = 6_000
export const GROUP_POLL_MS_DEFAULT = 300_000
export const GROUP_POLL_MS_MAX = 86_400_000
/** One that has not dropped what it was asked to drop by then is removed. */
export const GROUP_REBALANCE_MS_MIN = 1_000
export const GROUP_REBALANCE_MS_DEFAULT = 60_000
export const GROUP_REBALANCE_MS_MAX = 3_600_000
/** In one commit: with the largest names and metadata they fit one batch. */
export const COMMIT_OFFSETS_MAX = 2_000
export const COMMIT_METADATA_BYTES_MAX = 4 * KIB
/** Of all offsets in one commit. */
export const COMMIT_METADATA_BYTES_TOTAL_MAX = 128 * KIB
