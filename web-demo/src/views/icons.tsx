// The few icons, drawn here so that nothing is fetched.
import type { VNode } from "preact";

function Icon({ path }: { path: string }): VNode {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false">
      <path d={path} fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}

export const PlusIcon = (): VNode => <Icon path="M12 5v14M5 12h14" />;
export const BackIcon = (): VNode => <Icon path="M15 5l-7 7 7 7" />;
export const SendIcon = (): VNode => <Icon path="M5 12h13M12 5l7 7-7 7" />;
export const CloseIcon = (): VNode => <Icon path="M6 6l12 12M18 6L6 18" />;
export const PeopleIcon = (): VNode => (
  <Icon path="M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.3a3.5 3.5 0 0 1 0 6.4M18 14.5c2.2.8 3.5 2.8 3.5 5.5" />
);
export const DownIcon = (): VNode => <Icon path="M12 5v13M6 12l6 6 6-6" />;
export const UpIcon = (): VNode => <Icon path="M12 19V6M6 12l6-6 6 6" />;
export const SearchIcon = (): VNode => <Icon path="M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4" />;
export const KeysIcon = (): VNode => <Icon path="M3 6h18v12H3zM7 10h0M11 10h0M15 10h0M8 14h8" />;
export const LockIcon = (): VNode => <Icon path="M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z" />;
export const AccountIcon = (): VNode => <Icon path="M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-4 3.6-6.5 8-6.5s8 2.5 8 6.5" />;
export const AdminIcon = (): VNode => <Icon path="M12 3l7 3v5c0 4.6-2.9 8.2-7 10-4.1-1.8-7-5.4-7-10V6zM9 12l2.2 2.2L15.2 10" />;
export const SignOutIcon = (): VNode => <Icon path="M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9" />;

/** The mark of the hub. */
export function Logo(): VNode {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" class="logo-ground" />
      <g fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round">
        <path d="M9 8.5v15M9 16h7" />
        <path d="M23 23.5v-4A3.5 3.5 0 0 0 16 19.5v4" />
      </g>
      <circle cx="23" cy="10" r="2.6" fill="#6ee7b7" />
    </svg>
  );
}
