/** The values of one sample by column. */
export interface Values {
  /** NaN: none. */
  readonly numbers: number[];
  /** What is no number: strings, booleans, lists. */
  readonly others: Map<number, unknown>;
}

/** Names of values; of objects within, `true` for all of them. */
interface Keys {
  readonly [key: string]: true | Keys;
}

export type Wanted<T> = { readonly [K in keyof T]?: T[K] extends object ? true | Wanted<T[K]> : true };

/** A sample with what was wanted of it. */
export type Picked<T, W> = {
  readonly [K in keyof T & keyof W]: W[K] extends true ? T[K] : Picked<T[K], W[K]>;
};

/** Where a value stands in samples; or an object, which has places of its own. */
interface Place {
  readonly column: number;
  readonly inner: Map<string, Place>;
  isObject: boolean;
}

/**
 * Takes samples apart into columns and puts them together again. A sample is an object of numbers, strings, booleans,
 * lists, and objects of these; a list is taken as it is. What is an object in one sample is one in each, where it is
 * there at all. The columns are found as samples come.
 */
export class SampleShape<T extends object> {
  readonly #places = new Map<string, Place>();
  #columns = 0;

  takeApart(sample: T): Values {
    const values: Values = { numbers: [], others: new Map() };
    for (let column = 0; column < this.#columns; column++) values.numbers.push(Number.NaN);
    this.#take(sample, this.#places, values);
    return values;
  }

  #take(object: object, places: Map<string, Place>, { numbers, others }: Values): void {
    for (const [key, value] of Object.entries(object)) {
      if (value === undefined) continue;
      const place = places.get(key) ?? this.#add(key, places, numbers);
      if (typeof value === "number") numbers[place.column] = value;
      else if (isObject(value)) {
        place.isObject = true;
        // That it is there, be it empty.
        numbers[place.column] = 1;
        this.#take(value, place.inner, { numbers, others });
      } else others.set(place.column, value);
    }
  }

  #add(key: string, places: Map<string, Place>, numbers: number[]): Place {
    const place = { column: this.#columns++, inner: new Map(), isObject: false };
    places.set(key, place);
    numbers.push(Number.NaN);
    return place;
  }

  /** Frozen, with everything in it, or with what is wanted. */
  putTogether(values: Values, wanted?: Wanted<T>): T {
    return put(this.#places, values, wanted as Keys | undefined) as T;
  }
}

function put(places: Map<string, Place>, values: Values, wanted: Keys | undefined): object {
  const object: Record<string, unknown> = {};
  for (const key of wanted ? Object.keys(wanted) : places.keys()) {
    const place = places.get(key);
    if (!place) continue;
    const { column, inner, isObject } = place;
    const number = values.numbers[column] ?? Number.NaN;
    const within = wanted?.[key];
    if (!Number.isNaN(number)) {
      object[key] = isObject ? put(inner, values, typeof within === "object" ? within : undefined) : number;
    } else if (values.others.has(column)) object[key] = values.others.get(column);
  }
  return Object.freeze(object);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
