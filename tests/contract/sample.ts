// What a program in TypeScript does with the types that are made of the description.
import type { components, operations, paths, webhooks } from './orquiva.js';

type Seen = components['schemas']['SeenEmployee'];
type Hire = operations['createEmployee']['requestBody']['content']['application/json'];
type Page = paths['/v1/employees']['get']['responses']['200']['content']['application/json'];
type Arrived = webhooks['employee.created']['post']['requestBody']['content']['application/json'];

const hire: Hire = { email: 'ana@acme.es', fullName: 'Ana Pérez', startDate: null };

// @ts-expect-error: without an e-mail nobody is hired
const nobody: Hire = { fullName: 'Ana Pérez' };

export function names(page: Page): string[] {
  return page.data.map((employee: Seen) => `${employee.fullName} (${employee.department ?? 'nowhere'})`);
}

export function onHire(event: Arrived): string {
  const kind: 'employee.created' = event.type;
  return `${kind}: ${event.data.email}, ${event.sequence}`;
}

/** An event of any type is told apart by it. */
export function about(event: components['schemas']['Event']): string {
  return event.type === 'department.created' ? event.data.name : event.id;
}

export { hire, nobody };
