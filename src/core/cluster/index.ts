export { ClusterMachine, type ClusterMachineOptions } from './cluster-machine.ts'
export type {
  AddPartitions,
  AllocateProducerIds,
  AlterTopic,
  BrokerCommand,
  BrokerReply,
  ClusterCommand,
  ClusterReply,
  CreateTopic,
  DeleteTopic,
  GivenConfig,
  TopicCommand,
  TopicDifference,
  TopicRefusal,
  TopicReply,
} from './commands.ts'
export {
  type BrokerImage,
  type ClusterDelta,
  ClusterImage,
  type Deletion,
  EMPTY_CLUSTER,
  type PartitionImage,
  type TopicImage,
} from './image.ts'
export { GROUPS_TOPIC, type InternalTopic } from './internal-names.ts'
export { type ClusterRecord, clusterRecords } from './records.ts'
export {
  type ChoiceSetting,
  type IntegerSetting,
  minInSyncReplicasInForce,
  type ResolvedTopicConfig,
  resolveTopicConfig,
  TOPIC_CONFIG_KEYS,
  TOPIC_SETTINGS,
  type TopicConfig,
  type TopicConfigKey,
  type TopicConfigPatch,
  type TopicConfigSource,
} from './topic-config.ts'
export { checkTopicConfig, type CheckedPatch, type InvalidField } from './topic-config-check.ts'
export type { TopicDefaults } from './topics.ts'
