// What people ordered of this node, as the managers' answers bring it: a pause, which is kept in the state directory so that
// it lasts while no manager answers, and a decision on what is held.
import type { ApprovalOrder, Orders, PauseOrder } from '../../shared/api/orders.js';
import type { Logger } from '../../shared/log/logger.js';
import type { BaseStore } from '../sync/base-store.js';

export interface OrderBookDeps {
  readonly store: BaseStore;
  readonly logger: Logger;
  /** Something is ordered otherwise than before. */
  readonly onChange: () => void;
}

export class OrderBook {
  private newestApproval: ApprovalOrder | undefined;

  constructor(private readonly deps: OrderBookDeps) {}

  get pause(): PauseOrder | undefined {
    return this.deps.store.state.pause;
  }

  get approval(): ApprovalOrder | undefined {
    return this.newestApproval;
  }

  /** Takes what a manager answered. Throws `state-unwritable`: then the next answer brings it again. */
  async note(orders: Orders): Promise<void> {
    const pause = orders.paused ?? undefined;
    const approval = orders.approval ?? undefined;
    const isSamePause = samePause(pause, this.pause);
    const isSame = isSamePause && approval?.digest === this.newestApproval?.digest;
    this.newestApproval = approval;
    if (!isSamePause) {
      await this.deps.store.append([{ record: 'pause', ...(pause && { pause }) }]);
      if (pause === undefined) this.deps.logger.info('resumed');
      else this.deps.logger.warn('paused', { ...pause });
    }
    if (!isSame) this.deps.onChange();
  }
}

function samePause(a: PauseOrder | undefined, b: PauseOrder | undefined): boolean {
  return a?.scope === b?.scope && a?.at === b?.at && a?.by === b?.by && a?.reason === b?.reason;
}
