/** How events to the webhook fare, as `problems` needs to know. */
export interface WebhookState {
  /** Events that wait for their next attempt. */
  readonly waiting: number;
  /** Events that are not sent again. */
  readonly failed: number;
  /** Why the first of those that wait was not taken. */
  readonly why: string | null;
}

/** The sentences of a webhook for `problems`. */
export function webhookProblems(state: WebhookState | null): string[] {
  if (state === null) return [];
  const { waiting, failed, why } = state;
  return [
    ...(waiting === 0
      ? []
      : [
          `The webhook does not take events: ${waiting} wait${waiting === 1 ? 's' : ''} and will be sent again, the first since ${why ?? 'it is new'}`,
        ]),
    ...(failed === 0
      ? []
      : [
          `The webhook did not take ${failed} event${failed === 1 ? '' : 's'} within 24 hours; retry ${failed === 1 ? 'it' : 'them'} in Bull Board (/admin/queues), queue notify`,
        ]),
  ];
}
