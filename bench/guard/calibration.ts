/** What is added up, so that nothing of it is optimised away. */
let total = 0;

class Noted {
  began: number;
  ended = 0;
  isDone = false;
  readonly next: Noted | undefined;

  constructor(began: number, next: Noted | undefined) {
    this.began = began;
    this.next = next;
  }
}

/**
 * A unit of work of the kind that watching is made of: two objects, a closure, a promise's turn, two looks at the clock
 * and a few properties. How long it takes says how fast this machine is at such work.
 */
export async function calibrate(times: number): Promise<void> {
  let last: Noted | undefined;
  for (let time = 0; time < times; time++) {
    const noted: Noted = new Noted(performance.now(), time % 8 === 0 ? undefined : last);
    const finish = (at: number) => {
      noted.ended = at;
      noted.isDone = true;
      total += noted.ended - noted.began;
    };
    await null;
    finish(performance.now());
    last = noted;
  }
  if (Number.isNaN(total)) throw new Error("the clock is not a number");
}
