export type { EngineChoice } from './binding.js';
export { capabilities, type Capabilities, type CudaFeature, type Feature } from './capabilities.js';
export { SnapshardError, type SnapshardErrorCode } from './errors.js';
export { CudaMemory } from './memory/cuda_memory.js';
export type { CudaMemoryAt, CudaMemoryFromIpc } from './memory/cuda_options.js';
export type { JsonValue, Metadata } from './layout/metadata.js';
export { Checkpoint, latestCheckpoint, openCheckpoint } from './restore/checkpoint.js';
export type { PassedOver } from './restore/latest.js';
export { listCheckpoints, type ListedCheckpoint } from './restore/list.js';
export type {
  CheckpointOptions,
  LatestOptions,
  ReadAllOptions,
  ReadOptions,
  StreamOptions,
  VerifyOptions,
} from './restore/read_options.js';
export type {
  Damage,
  ReadReport,
  ReadTensor,
  SideFileInfo,
  Slice,
  SliceInfo,
  SliceTarget,
  Target,
  TargetData,
  TargetPart,
  Targets,
  TensorInfo,
  VerifyProgress,
  VerifyReport,
} from './restore/read_types.js';
export type { CheckpointFormat } from './restore/stored.js';
export { Verification } from './restore/verification.js';
export type { FailedMessage, PublishedMessage } from './save/diagnostics.js';
export type { Lease } from './memory/lease.js';
export type { Progress, SavePhase } from './save/progress.js';
export type { Published, SaveTimings } from './save/published.js';
export type { SaveOptions, SaveRequest, SideFiles } from './save/request.js';
export { Save } from './save/save.js';
export type { SaveTrace } from './save/trace.js';
export { CheckpointWriter } from './save/writer.js';
export type { CloseOptions, WriterOptions } from './save/writer_options.js';
export { removeCheckpoint } from './store/remove_checkpoint.js';
export type { Dtype } from './tensor/dtype.js';
export { fileSource, type FileSource, type FileSourceOptions } from './tensor/file_source.js';
export type { DeviceMemory, LeaseMemory, Tensor, TensorData, TensorInput, TensorPart, Tensors, TypedArray, Replicas } from './tensor/tensor.js';
