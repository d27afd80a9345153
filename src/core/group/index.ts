export type {
  Assignment,
  Assignor,
  ClaimOffsets,
  Commit,
  CommittedOffset,
  DeleteGroup,
  Delivery,
  Describe,
  GroupBound,
  GroupCommand,
  GroupRefusal,
  GroupReply,
  GroupSettings,
  GroupTimer,
  Heartbeat,
  HeldPosition,
  Join,
  Leave,
  Membership,
  OffsetClaim,
  OffsetCommit,
  PinOffsets,
  PlanFault,
  PlannedMember,
  PlanRequest,
  Poll,
  PutPlan,
  Refresh,
  SettingDifference,
  StartFrom,
  TopicPartitions,
  Touch,
} from './commands.ts'
export { GroupMachine, type GroupMachineOptions } from './group-machine.ts'
export type { PlantedFault } from './planted.ts'
export { type GroupRecord, groupRecords } from './records.ts'
export type { GroupTopic, GroupTopics } from './topics.ts'
export type { GroupStateWord, GroupsView, GroupView, MemberStateWord, MemberView } from './view.ts'
